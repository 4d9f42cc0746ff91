// An RP2040 image in rp2040js, its serial line on a TCP port that somebody else listens on, as QEMU's `-chardev socket`.
//
//   node rp2040.js IMAGE PORT uart|usb MARK-ADDRESS MARK
//
// IMAGE is what the flash holds. It starts where the chip's own program would jump to: at the second stage of the boot in
// the flash's first 256 bytes, with nowhere to return to, on which that goes on to the vector table behind it.
// MARK (16 hexadecimal digits) is written to the memory at MARK-ADDRESS first, by which the image knows an emulator.
'use strict';
const fs = require('fs');
const net = require('net');
const { RP2040, USBCDC, ConsoleLogger, LogLevel } = require('rp2040js');

const FLASH = 0x10000000;
const MEMORY_END = 0x20042000;
// Instructions between looks at the socket.
const SLICE = 50000;

const [image, port, line, markAddress, mark] = process.argv.slice(2);
const chip = new RP2040();
chip.logger = new ConsoleLogger(LogLevel.Error, true);
chip.flash.set(fs.readFileSync(image), 0);
chip.writeUint32(Number(markAddress), parseInt(mark.slice(8), 16));
chip.writeUint32(Number(markAddress) + 4, parseInt(mark.slice(0, 8), 16));
chip.core.SP = MEMORY_END;
chip.core.LR = 0;
chip.core.PC = FLASH;

const socket = net.connect(Number(port), '127.0.0.1');
socket.setNoDelay(true);
const received = [];
const waiting = [];
socket.on('data', (data) => received.push(...data));
for (const end of ['close', 'error']) socket.on(end, () => process.exit(0));

let deliver;
if (line === 'usb') {
  const cdc = new USBCDC(chip.usbCtrl);
  cdc.onSerialData = (bytes) => waiting.push(...bytes);
  // What the device is ready to take, by endpoint: a host may have nothing to send at that moment.
  const armed = new Map();
  chip.usbCtrl.onEndpointRead = (endpoint, size) => armed.set(endpoint, size);
  deliver = () => {
    const endpoint = cdc.outEndpoint;
    const size = armed.get(endpoint);
    if (!cdc.initialized || !size) return;
    armed.delete(endpoint);
    // A full packet would be followed by another one, if only an empty one.
    chip.usbCtrl.endpointReadDone(endpoint, Uint8Array.from(received.splice(0, size - 1)));
  };
} else {
  const uart = chip.uart[0];
  uart.onByte = (byte) => waiting.push(byte);
  deliver = () => {
    while (received.length > 0 && !uart.rxFIFO.full) uart.feedByte(received.shift());
  };
}

function run() {
  const { core, clock } = chip;
  const nanoseconds = 1e9 / chip.clkSys;
  for (let count = 0; count < SLICE; count++) {
    if (core.waiting) {
      // Asleep until an alarm or a byte.
      if (received.length > 0) deliver();
      if (core.waiting) clock.tick(Math.max(clock.nanosToNextAlarm, 1));
      if (clock.nanosToNextAlarm <= 0) break;
    } else {
      clock.tick(core.executeInstruction() * nanoseconds);
    }
    if (received.length > 0 && (count & 63) === 0) deliver();
  }
  if (waiting.length > 0) socket.write(Buffer.from(waiting.splice(0)));
  setImmediate(run);
}
socket.on('connect', run);

//! Serial ports of this computer, and which boards may be behind them.

use std::path::Path;

use serialport::{SerialPortInfo, SerialPortType};

use crate::{Board, DeviceError, UsbId};

/// A serial port over USB.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Port {
    /// What it is opened by, such as `/dev/ttyACM0`.
    pub name: String,
    /// What it says of itself.
    pub usb: UsbId,
    /// Its name for itself, where it has one.
    pub product: Option<String>,
    /// The boards of the table that have such a port.
    pub boards: Vec<&'static str>,
}

impl Port {
    /// All serial ports over USB, those that a board of the table has first.
    pub fn all() -> Result<Vec<Self>, DeviceError> {
        // A system without this directory has no serial port; serialport panics there.
        if cfg!(target_os = "linux") && !Path::new("/sys/class/tty").exists() {
            return Ok(vec![]);
        }
        let ports = serialport::available_ports().map_err(|error| DeviceError::Ports(error.to_string()))?;
        Ok(known_first(ports))
    }

    /// The one port that a board of the table has.
    pub fn find() -> Result<Self, DeviceError> {
        the_only(Self::all()?)
    }
}

fn known_first(ports: Vec<SerialPortInfo>) -> Vec<Port> {
    let mut ports: Vec<Port> = ports.into_iter().filter_map(port).collect();
    ports.sort_by_key(|port| (port.boards.is_empty(), port.name.clone()));
    ports
}

fn port(info: SerialPortInfo) -> Option<Port> {
    let SerialPortType::UsbPort(usb) = info.port_type else { return None };
    let id = UsbId { vendor: usb.vid, product: usb.pid };
    let boards = Board::all().iter().filter(|board| board.usb == Some(id)).map(|board| board.name.as_str());
    Some(Port { name: info.port_name, usb: id, product: usb.product, boards: boards.collect() })
}

fn the_only(ports: Vec<Port>) -> Result<Port, DeviceError> {
    let names = |ports: &[Port]| ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ");
    let known: Vec<Port> = ports.iter().filter(|port| !port.boards.is_empty()).cloned().collect();
    match &known[..] {
        [port] => Ok(port.clone()),
        [] if ports.is_empty() => Err(DeviceError::Ports(
            "there is no serial port over USB: plug the board in, and name a port without USB with --port".into(),
        )),
        [] => Err(DeviceError::Ports(format!(
            "no port is one of a board that we know: name the right one of {} with --port",
            names(&ports)
        ))),
        several => {
            Err(DeviceError::Ports(format!("there are several boards: name one of {} with --port", names(several))))
        }
    }
}

#[cfg(test)]
mod tests {
    use serialport::UsbPortInfo;

    use super::*;

    fn usb(name: &str, vid: u16, pid: u16) -> SerialPortInfo {
        let port_type =
            SerialPortType::UsbPort(UsbPortInfo { vid, pid, serial_number: None, manufacturer: None, product: None });
        SerialPortInfo { port_name: name.into(), port_type }
    }

    fn found(ports: Vec<SerialPortInfo>) -> Result<String, String> {
        the_only(known_first(ports)).map(|port| port.name).map_err(|error| error.to_string())
    }

    #[test]
    fn the_only_board_is_found_among_other_ports() {
        let (pico, other) = (usb("/dev/ttyACM1", 0x2e8a, 0x000a), usb("/dev/ttyUSB0", 0x1a86, 0x7523));
        let internal = SerialPortInfo { port_name: "/dev/ttyS0".into(), port_type: SerialPortType::PciPort };
        let ports = known_first(vec![other.clone(), internal.clone(), pico.clone()]);
        assert_eq!(ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>(), ["/dev/ttyACM1", "/dev/ttyUSB0"]);
        assert_eq!(ports[0].boards, ["pico-usb"]);
        assert_eq!(found(vec![other, internal, pico]), Ok("/dev/ttyACM1".into()));
    }

    #[test]
    fn what_is_not_clear_is_asked_for_by_name() {
        assert!(found(vec![]).unwrap_err().contains("plug the board in"));
        let other = usb("/dev/ttyUSB0", 0x1a86, 0x7523);
        assert!(found(vec![other]).unwrap_err().contains("/dev/ttyUSB0 with --port"));
        let two = vec![usb("/dev/ttyACM1", 0x2e8a, 0x000a), usb("/dev/ttyACM0", 0x0d28, 0x0204)];
        assert!(found(two).unwrap_err().contains("one of /dev/ttyACM0, /dev/ttyACM1 with --port"));
    }
}

//! The entry point: a board's file under `boards/`, the model, and the application.

use firmware::{App, BoardInfo, Stopped};
use protocol::FrameReader;
use static_cell::{ConstStaticCell, StaticCell};
use thumbnet::{Model, Network};

use crate::image;
use crate::place::{halt, place};

#[cfg(all(feature = "defmt", thumbnet_flashed))]
use defmt_rtt as _;
#[cfg(all(feature = "defmt", not(thumbnet_flashed)))]
use defmt_semihosting as _;

// What the build script wrote: the board's module, its row of the table, the model and its sizes.
include!(concat!(env!("OUT_DIR"), "/generated.rs"));

/// Memory for the network, aligned for the widest loads that a kernel may want.
#[repr(align(16))]
struct Arena([u8; ARENA_LEN]);

static ARENA: ConstStaticCell<Arena> = ConstStaticCell::new(Arena([0; ARENA_LEN]));
static READER: ConstStaticCell<FrameReader<REQUEST_LEN>> = ConstStaticCell::new(FrameReader::new());
static REPLY: ConstStaticCell<[u8; REPLY_LEN]> = ConstStaticCell::new([0; REPLY_LEN]);
static APP: StaticCell<App<'static, Kernels, REQUEST_LEN>> = StaticCell::new();

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(feature = "fe310", riscv_rt::entry)]
#[cfg_attr(feature = "esp32c3", esp_hal::main)]
fn main() -> ! {
    let mut board = board::init();
    let Ok(model) = model() else { halt() };
    let Some(app) = set_up(model) else { halt() };
    loop {
        match app.serve(&mut board) {
            // What the line lost is noticed by the checksum of its frame.
            Stopped::Read | Stopped::Write => {}
            Stopped::End => halt(),
        }
    }
}

/// The application. Not inline: its copies of the network are on the stack only until they are where they stay.
#[inline(never)]
fn set_up(model: Model<'static>) -> Option<&'static mut App<'static, Kernels, REQUEST_LEN>> {
    let info = BoardInfo { name: BOARD_NAME, core: CORE, place: place(), flash_bytes: image::flash_bytes() };
    let network = Network::with_kernels(&model, &mut ARENA.take().0).ok()?;
    Some(APP.init(App::new(info, network, READER.take(), REPLY.take())))
}

/// The model that is part of the image. The build script has parsed the same bytes and taken the arena's size from them.
#[cfg(not(thumbnet_external_model))]
fn model() -> Result<Model<'static>, thumbnet::ParseError> {
    Model::proved(model_bytes())
}

/// The model that was put into its memory region before the board started.
#[cfg(thumbnet_external_model)]
fn model() -> Result<Model<'static>, thumbnet::ParseError> {
    Model::parse(model_bytes())
}

/// Its bytes: as many as its header says.
#[cfg(thumbnet_external_model)]
fn model_bytes() -> &'static [u8] {
    use thumbnet::format::{HEADER_LEN, Header};
    let region = crate::external::region();
    let header = region.first_chunk::<HEADER_LEN>().map(Header::decode);
    header.and_then(|header| region.get(..header.file_len as usize)).unwrap_or(&[])
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    halt()
}

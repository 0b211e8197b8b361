//! Against numbers computed from the format's description by another program, and against damage.

use data_encoding::HEXLOWER;
use proptest::prelude::*;
use vettid_crypto::digest::sha256;

use crate::{Image, ImageError, Registers};

const FIRST: &[u8] = b"first ramdisk";
const SECOND: &[u8] = b"second ramdisk";

fn image() -> Image<'static> {
    Image {
        kernel: b"kernel bytes",
        command_line: "console=ttyS0",
        metadata: b"{}",
        ramdisks: vec![FIRST, SECOND],
    }
}

fn file() -> Vec<u8> {
    image().write().expect("complete")
}

/// The file with one byte altered and its checksum set right again.
fn altered(at: usize, to: u8) -> Vec<u8> {
    let mut file = file();
    file[at] = to;
    let checksum = crate::crc::Crc32::new()
        .update(&file[..544])
        .update(&file[548..])
        .finish();
    file[544..548].copy_from_slice(&checksum.to_be_bytes());
    file
}

fn register(hex: &str) -> [u8; 48] {
    let bytes = HEXLOWER.decode(hex.as_bytes()).expect("hex");
    bytes.try_into().expect("48 bytes")
}

#[test]
fn a_file_is_written_as_another_program_writes_it() {
    let file = file();

    assert_eq!(file.len(), 662);
    assert_eq!(file[544..548], 0x73b7_bdba_u32.to_be_bytes());
    assert_eq!(
        HEXLOWER.encode(&sha256(&file)),
        "c9cd63dc26235e7eca7d34a3ced57b70ac3a91adf93bdb52128df8d7d9d86a54"
    );
}

#[test]
fn registers_are_what_another_program_computes() {
    let expected = Registers {
        pcr0: register(
            "60e8cf0d2ac6765b70259a9c2230f36345f6fc87b54e2010573d3e91e51797b4\
             7494199625ac567a81cdc96f2cd4d7b6",
        ),
        pcr1: register(
            "62a5900a0eb3c21088bc72d86e382ff342724468459bcf5b34e00a560ca5f177\
             5eb81c5244358781d3b7828141a5e872",
        ),
        pcr2: register(
            "ce19d22a3254eb42d44040f172c0a45fac31aa7c61e10702f95a23228e9c2859\
             51752cf9a43889687fc1e7335d3ee594",
        ),
    };

    assert_eq!(image().registers(), expected);
}

#[test]
fn metadata_is_measured_into_no_register_and_everything_else_is() {
    let base = image().registers();
    let with = |change: fn(&mut Image<'static>)| {
        let mut image = image();
        change(&mut image);
        image.registers()
    };

    assert_eq!(with(|image| image.metadata = b"{1}"), base);
    let kernel = with(|image| image.kernel = b"another kernel");
    assert!(kernel.pcr0 != base.pcr0 && kernel.pcr1 != base.pcr1 && kernel.pcr2 == base.pcr2);
    let line = with(|image| image.command_line = "quiet");
    assert!(line.pcr0 != base.pcr0 && line.pcr1 != base.pcr1 && line.pcr2 == base.pcr2);
    let program = with(|image| image.ramdisks = vec![FIRST, b"another program"]);
    assert!(program.pcr0 != base.pcr0 && program.pcr1 == base.pcr1 && program.pcr2 != base.pcr2);
}

#[test]
fn a_written_file_is_read_back() {
    let file = file();

    assert_eq!(Image::parse(&file), Ok(image()));
}

#[test]
fn an_image_without_its_parts_is_not_written() {
    let changes: [fn(&mut Image<'static>); 3] = [
        |image| image.kernel = b"",
        |image| image.command_line = "",
        |image| image.ramdisks = Vec::new(),
    ];
    for change in changes {
        let mut image = image();
        change(&mut image);
        assert_eq!(image.write(), Err(ImageError::Incomplete));
    }
    let mut many = image();
    many.ramdisks = vec![FIRST; 30];
    assert_eq!(many.write(), Err(ImageError::TooLarge));
}

#[test]
fn what_is_no_image_is_refused() {
    for file in [
        Vec::new(),
        vec![0; 547],
        vec![0; 4096],
        altered(5, 3),
        altered(7, 1),
    ] {
        let refused = Image::parse(&file).err();
        assert_eq!(refused, Some(ImageError::NotAnImage));
    }
}

#[test]
fn a_file_that_goes_on_or_ends_early_is_refused() {
    let mut longer = file();
    longer.push(0);
    assert_eq!(Image::parse(&longer).err(), Some(ImageError::Layout));

    let shorter = file();
    let shorter = &shorter[..shorter.len() - 1];
    assert_eq!(Image::parse(shorter).err(), Some(ImageError::Layout));
}

#[test]
fn a_section_of_another_place_size_or_kind_is_refused() {
    // Low bytes: count of sections, offset of the first, its size in the header, its kind.
    assert_eq!(
        Image::parse(&altered(27, 33)).err(),
        Some(ImageError::TooLarge)
    );
    assert_eq!(
        Image::parse(&altered(27, 4)).err(),
        Some(ImageError::Layout)
    );
    assert_eq!(
        Image::parse(&altered(35, 0x23)).err(),
        Some(ImageError::Layout)
    );
    assert_eq!(
        Image::parse(&altered(291, 11)).err(),
        Some(ImageError::Layout)
    );
    assert_eq!(
        Image::parse(&altered(549, 9)).err(),
        Some(ImageError::UnknownSection(9))
    );
    assert_eq!(
        Image::parse(&altered(549, 2)).err(),
        Some(ImageError::Repeated)
    );
    assert_eq!(
        Image::parse(&altered(549, 4)).err(),
        Some(ImageError::Incomplete)
    );
    assert_eq!(
        Image::parse(&altered(551, 1)).err(),
        Some(ImageError::Layout)
    );
}

proptest! {
    #[test]
    fn any_parts_come_back_as_they_went(
        kernel in prop::collection::vec(any::<u8>(), 1..200),
        line in "[ -~]{1,60}",
        disks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..5),
    ) {
        let image = Image {
            kernel: &kernel,
            command_line: &line,
            metadata: b"{}",
            ramdisks: disks.iter().map(Vec::as_slice).collect(),
        };
        let file = image.write().expect("complete");

        prop_assert_eq!(Image::parse(&file), Ok(image));
    }

    #[test]
    fn a_flipped_bit_is_found(at in 0_usize..662, bit in 0_u8..8) {
        let mut file = file();
        file[at] ^= 1 << bit;

        prop_assert!(Image::parse(&file).is_err());
    }
}

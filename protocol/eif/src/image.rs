//! The file itself: a header, then sections. All numbers are big-endian.

use crate::crc::Crc32;
use crate::measure::Registers;

/// Largest image that is written or read, bytes: five times what an image may weigh.
pub const MAX_IMAGE: usize = 64 * 1024 * 1024;

/// Most sections the header has room for.
const MAX_SECTIONS: usize = 32;

/// Bytes of the header, its checksum included.
const HEADER: usize = 548;

/// Bytes before each section.
const SECTION_HEADER: usize = 12;

const MAGIC: [u8; 4] = *b".eif";

/// The version that every current tool writes.
const VERSION: u16 = 4;

/// What an enclave gets that is started without saying how much: 1 GiB and two processors.
const DEFAULTS: [u64; 2] = [1024 * 1024 * 1024, 2];

/// Why bytes are no image, or parts make none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ImageError {
    /// The checksum does not fit the bytes.
    #[error("image is damaged: its checksum differs")]
    Checksum,
    /// Kernel, command line or first ramdisk is missing.
    #[error("image lacks a kernel, a command line or a ramdisk")]
    Incomplete,
    /// A section is not where the header says, or there are bytes outside of all sections.
    #[error("image's sections are not as its header says")]
    Layout,
    /// Not an image file, or one of another version or machine.
    #[error("not an enclave image of version 4 for x86-64")]
    NotAnImage,
    /// More than one kernel or command line.
    #[error("image has a part twice")]
    Repeated,
    /// Too many sections, or more than [`MAX_IMAGE`] bytes.
    #[error("image is too large")]
    TooLarge,
    /// The command line is not text.
    #[error("image's command line is not text")]
    Text,
    /// A section of a kind that is not known.
    #[error("image has a section of unknown kind {0}")]
    UnknownSection(u16),
}

/// The parts of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image<'a> {
    /// What boots: a bzImage.
    pub kernel: &'a [u8],
    /// What the kernel is told.
    pub command_line: &'a str,
    /// JSON about how it was built; measured into no register.
    pub metadata: &'a [u8],
    /// Compressed archives, unpacked one after the other: the system, then the program.
    pub ramdisks: Vec<&'a [u8]>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
enum Kind {
    Kernel = 1,
    CommandLine = 2,
    Ramdisk = 3,
    Signature = 4,
    Metadata = 5,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Kernel,
        Self::CommandLine,
        Self::Ramdisk,
        Self::Signature,
        Self::Metadata,
    ];

    fn of(number: u16) -> Result<Self, ImageError> {
        let mut all = Self::ALL.into_iter();
        all.find(|&kind| kind as u16 == number)
            .ok_or(ImageError::UnknownSection(number))
    }
}

impl<'a> Image<'a> {
    /// What an enclave that boots this image has in its registers.
    #[must_use]
    pub fn registers(&self) -> Registers {
        Registers::of(self.kernel, self.command_line.as_bytes(), &self.ramdisks)
    }

    /// The file's bytes. The same parts give the same bytes.
    ///
    /// # Errors
    /// When a part is missing or the whole is too large.
    pub fn write(&self) -> Result<Vec<u8>, ImageError> {
        if self.kernel.is_empty() || self.command_line.is_empty() || self.ramdisks.is_empty() {
            return Err(ImageError::Incomplete);
        }
        let mut sections: Vec<(Kind, &[u8])> = vec![
            (Kind::Kernel, self.kernel),
            (Kind::CommandLine, self.command_line.as_bytes()),
            (Kind::Metadata, self.metadata),
        ];
        sections.extend(self.ramdisks.iter().map(|&disk| (Kind::Ramdisk, disk)));
        let size = sections.iter().fold(HEADER, |sum, (_, bytes)| {
            sum.saturating_add(SECTION_HEADER)
                .saturating_add(bytes.len())
        });
        if sections.len() > MAX_SECTIONS || size > MAX_IMAGE {
            return Err(ImageError::TooLarge);
        }
        let mut body = Vec::with_capacity(size);
        let mut places = Vec::with_capacity(sections.len());
        for (kind, bytes) in sections {
            places.push((HEADER.saturating_add(body.len()), bytes.len()));
            body.extend((kind as u16).to_be_bytes());
            body.extend([0; 2]);
            body.extend((bytes.len() as u64).to_be_bytes());
            body.extend(bytes);
        }
        let mut out = header(&places);
        let checksum = Crc32::new().update(&out).update(&body).finish();
        out.extend(checksum.to_be_bytes());
        out.append(&mut body);
        Ok(out)
    }

    /// Takes a file apart. Reads all of it within fixed bounds; allocates for the list of ramdisks.
    ///
    /// # Errors
    /// When the bytes are not exactly one complete image.
    pub fn parse(file: &'a [u8]) -> Result<Self, ImageError> {
        if file.len() > MAX_IMAGE {
            return Err(ImageError::TooLarge);
        }
        let (head, body) = file
            .split_at_checked(HEADER)
            .ok_or(ImageError::NotAnImage)?;
        let (head, checksum) = head
            .split_at_checked(HEADER - 4)
            .ok_or(ImageError::NotAnImage)?;
        let places = read_header(head)?;
        let mut parts = Parts::default();
        let mut rest = body;
        for (offset, size) in places {
            if offset != file.len().saturating_sub(rest.len()) as u64 {
                return Err(ImageError::Layout);
            }
            let mut section = Reader(rest);
            let kind = Kind::of(section.u16()?)?;
            if section.u16()? != 0 || section.u64()? != size {
                return Err(ImageError::Layout);
            }
            let size = usize::try_from(size).map_err(|_| ImageError::Layout)?;
            parts.put(kind, section.bytes(size)?)?;
            rest = section.0;
        }
        if !rest.is_empty() {
            return Err(ImageError::Layout);
        }
        let expected = Crc32::new().update(head).update(body).finish();
        if checksum != expected.to_be_bytes() {
            return Err(ImageError::Checksum);
        }
        parts.complete()
    }
}

/// The header up to its checksum.
fn header(places: &[(usize, usize)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER);
    out.extend(MAGIC);
    out.extend(VERSION.to_be_bytes());
    out.extend([0; 2]); // x86-64
    for number in DEFAULTS {
        out.extend(number.to_be_bytes());
    }
    out.extend([0; 2]);
    let count = u16::try_from(places.len()).unwrap_or(u16::MAX);
    out.extend(count.to_be_bytes());
    let (offsets, sizes): (Vec<_>, Vec<_>) = places.iter().copied().unzip();
    for column in [offsets, sizes] {
        let filled = column.into_iter().chain(std::iter::repeat(0));
        for number in filled.take(MAX_SECTIONS) {
            out.extend((number as u64).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out
}

/// Offset and size of each section.
fn read_header(head: &[u8]) -> Result<Vec<(u64, u64)>, ImageError> {
    let mut reader = Reader(head);
    if reader.bytes(4)? != MAGIC || reader.u16()? != VERSION || reader.u16()? != 0 {
        return Err(ImageError::NotAnImage);
    }
    // What an enclave gets by default is its operator's affair.
    reader.bytes(18)?;
    let count = usize::from(reader.u16()?);
    if count > MAX_SECTIONS {
        return Err(ImageError::TooLarge);
    }
    let mut offsets = Reader(reader.bytes(8 * MAX_SECTIONS)?);
    let mut sizes = Reader(reader.bytes(8 * MAX_SECTIONS)?);
    (0..count)
        .map(|_| Ok((offsets.u64()?, sizes.u64()?)))
        .collect()
}

/// Sections as they come.
#[derive(Default)]
struct Parts<'a> {
    kernel: Option<&'a [u8]>,
    command_line: Option<&'a [u8]>,
    metadata: &'a [u8],
    ramdisks: Vec<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn put(&mut self, kind: Kind, bytes: &'a [u8]) -> Result<(), ImageError> {
        let slot = match kind {
            Kind::Kernel => &mut self.kernel,
            Kind::CommandLine => &mut self.command_line,
            Kind::Ramdisk => {
                self.ramdisks.push(bytes);
                return Ok(());
            }
            Kind::Metadata => {
                self.metadata = bytes;
                return Ok(());
            }
            // Measured into PCR8 alone, which nobody here relies on.
            Kind::Signature => return Ok(()),
        };
        match slot.replace(bytes) {
            None => Ok(()),
            Some(_) => Err(ImageError::Repeated),
        }
    }

    fn complete(self) -> Result<Image<'a>, ImageError> {
        let (Some(kernel), Some(line)) = (self.kernel, self.command_line) else {
            return Err(ImageError::Incomplete);
        };
        if self.ramdisks.is_empty() {
            return Err(ImageError::Incomplete);
        }
        Ok(Image {
            kernel,
            command_line: std::str::from_utf8(line).map_err(|_| ImageError::Text)?,
            metadata: self.metadata,
            ramdisks: self.ramdisks,
        })
    }
}

/// Bytes from the front of a slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], ImageError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ImageError::Layout)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ImageError> {
        self.bytes(N)?.try_into().map_err(|_| ImageError::Layout)
    }

    fn u16(&mut self) -> Result<u16, ImageError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, ImageError> {
        self.array().map(u64::from_be_bytes)
    }
}

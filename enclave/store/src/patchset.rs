//! Patchsets that SQLite's session extension reads (sqlite3session.c, "Patchset Format"): for each table
//! `P`, the number of its columns, which of them are its key, its name and a zero; for each row the kind
//! of its change, a zero, and values. Where SQLite writes a column's place in the key this writes a one:
//! readers take both alike.

use rusqlite::types::ValueRef;
use vettid_crypto::WipedVec;

use crate::columns::Column;

/// Kinds of change, as SQLite numbers them.
const DELETE: u8 = 9;
const INSERT: u8 = 18;
const UPDATE: u8 = 23;

/// Kinds of value; a value that is not given is a zero.
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;
const NULL: u8 = 5;

/// A patchset that is being written.
pub(crate) struct Patchset(WipedVec);

impl Patchset {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(WipedVec::new(Vec::with_capacity(4096)))
    }

    /// The bytes.
    pub(crate) fn into_bytes(self) -> WipedVec {
        self.0
    }

    /// Begins a table.
    pub(crate) fn table(&mut self, name: &str, columns: &[Column]) {
        self.0.append(b"P");
        append_length(&mut self.0, columns.len());
        for column in columns {
            self.0.append(&[u8::from(column.key)]);
        }
        self.0.append(name.as_bytes());
        self.0.append(&[0]);
    }

    /// Writes how a row of the table changed that was begun last. For one that did.
    pub(crate) fn row(&mut self, columns: &[Column], before: Option<&[u8]>, now: Option<&[u8]>) {
        match (before, now) {
            (None, None) => {}
            (None, Some(now)) => {
                self.0.append(&[INSERT, 0]);
                self.0.append(now);
            }
            (Some(before), None) => {
                self.0.append(&[DELETE, 0]);
                for (column, value) in columns.iter().zip(Values(before)) {
                    if column.key {
                        self.0.append(value);
                    }
                }
            }
            (Some(before), Some(now)) => {
                self.0.append(&[UPDATE, 0]);
                for ((column, before), now) in columns.iter().zip(Values(before)).zip(Values(now)) {
                    let said = column.key || before != now;
                    self.0.append(if said { now } else { &[0] });
                }
            }
        }
    }
}

/// Appends one value.
pub(crate) fn append(to: &mut WipedVec, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => to.append(&[NULL]),
        ValueRef::Integer(number) => append_number(to, INTEGER, number.to_be_bytes()),
        ValueRef::Real(number) => append_number(to, REAL, number.to_be_bytes()),
        ValueRef::Text(text) => append_bytes(to, TEXT, text),
        ValueRef::Blob(bytes) => append_bytes(to, BLOB, bytes),
    }
}

fn append_number(to: &mut WipedVec, kind: u8, number: [u8; 8]) {
    to.append(&[kind]);
    to.append(&number);
}

fn append_bytes(to: &mut WipedVec, kind: u8, bytes: &[u8]) {
    to.append(&[kind]);
    append_length(to, bytes.len());
    to.append(bytes);
}

/// Appends a length as SQLite does: seven bits a byte, highest first, a set bit where more follow.
fn append_length(to: &mut WipedVec, length: usize) {
    let mut shift = usize::BITS / 7 * 7;
    while shift > 0 && length >> shift == 0 {
        shift = shift.saturating_sub(7);
    }
    loop {
        let group = u8::try_from(length >> shift & 0x7f).unwrap_or_default();
        to.append(&[group | if shift > 0 { 0x80 } else { 0 }]);
        if shift == 0 {
            return;
        }
        shift = shift.saturating_sub(7);
    }
}

/// Values that were appended, one after the other, each with its kind.
pub(crate) struct Values<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (kind, rest) = self.0.split_first()?;
        let size = match *kind {
            INTEGER | REAL => 8,
            TEXT | BLOB => {
                let (length, head) = length(rest)?;
                head.checked_add(length)?
            }
            _ => 0,
        };
        let (value, rest) = self.0.split_at_checked(size.checked_add(1)?)?;
        self.0 = rest;
        Some(value)
    }
}

/// The value that was appended.
pub(crate) fn value(bytes: &[u8]) -> Option<ValueRef<'_>> {
    let (kind, rest) = bytes.split_first()?;
    let number = || rest.first_chunk().copied();
    let said = || rest.get(length(rest)?.1..);
    Some(match *kind {
        INTEGER => ValueRef::Integer(i64::from_be_bytes(number()?)),
        REAL => ValueRef::Real(f64::from_be_bytes(number()?)),
        TEXT => ValueRef::Text(said()?),
        BLOB => ValueRef::Blob(said()?),
        NULL => ValueRef::Null,
        _ => return None,
    })
}

/// A length, and the bytes that it takes.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0_usize;
    for (place, byte) in bytes.iter().enumerate().take(9) {
        length = length.checked_mul(128)? | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((length, place.checked_add(1)?));
        }
    }
    None
}

use vettid_crypto::recipient::RecipientKey;

use super::*;

/// A field of an envelope: tag and content.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("short");
    let [high, low] = length.to_be_bytes();
    let mut out = vec![tag];
    match length {
        0..128 => out.push(low),
        128..256 => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend_from_slice(content);
    out
}

/// A field of indefinite length. X.690, section 8.1.3.6.
fn indefinite(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, 0x80], content, &[0, 0]].concat()
}

fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    tlv(6, oid.as_bytes())
}

/// What an envelope is made of; as the key service makes it.
struct Made {
    version: u8,
    recipients: u8,
    key_algorithm: ObjectIdentifier,
    key_parameters: Vec<u8>,
    content_algorithm: ObjectIdentifier,
    iv: Vec<u8>,
    content: Vec<u8>,
    behind: Vec<u8>,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            version: 2,
            recipients: 1,
            key_algorithm: RSAES_OAEP,
            key_parameters: OAEP_SHA256.to_vec(),
            content_algorithm: AES_256_CBC,
            iv: vec![3; IV],
            // In one piece, as for a short text.
            content: indefinite(0xa0, &tlv(4, &[5; 48])),
            behind: Vec::new(),
        }
    }
}

impl Made {
    fn bytes(&self) -> Vec<u8> {
        let algorithm = [oid(self.key_algorithm), self.key_parameters.clone()].concat();
        let recipient = |index: u8| {
            let parts = [
                tlv(2, &[2]),
                tlv(0x80, &[index; 32]),
                tlv(0x30, &algorithm),
                tlv(4, &[7; WRAPPED]),
            ];
            tlv(0x30, &parts.concat())
        };
        let recipients: Vec<u8> = (0..self.recipients).flat_map(recipient).collect();
        let algorithm = [oid(self.content_algorithm), tlv(4, &self.iv)].concat();
        let content = [oid(DATA), tlv(0x30, &algorithm), self.content.clone()].concat();
        let data = [
            tlv(2, &[self.version]),
            tlv(0x31, &recipients),
            indefinite(0x30, &content),
        ];
        let data = indefinite(0xa0, &indefinite(0x30, &data.concat()));
        let whole = indefinite(0x30, &[oid(ENVELOPED_DATA), data].concat());
        [whole, self.behind.clone()].concat()
    }
}

#[test]
fn parts_are_found_in_the_form_that_the_key_service_writes() {
    let parts = parse(&Made::default().bytes());

    let expected = Parts {
        wrapped: [7; WRAPPED],
        iv: [3; IV],
        content: vec![5; 48],
    };
    assert_eq!(parts, Some(expected));
}

#[test]
fn content_in_pieces_is_put_together() {
    let pieces = [tlv(4, &[5; 32]), tlv(4, &[6; 16])].concat();
    let content = indefinite(0xa0, &pieces);
    let made = Made {
        content,
        ..Made::default()
    };

    let parts = parse(&made.bytes()).expect("parts");

    assert_eq!(parts.content, [[5; 16], [5; 16], [6; 16]].concat());
}

#[test]
fn other_algorithms_are_refused_and_not_tried() {
    let rsa_pkcs1 = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    let aes_128_cbc = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
    let mut sha224 = OAEP_SHA256.to_vec();
    // SHA-224 under MGF1.
    *sha224.get_mut(46).expect("there") = 4;
    for made in [
        Made {
            key_algorithm: rsa_pkcs1,
            ..Made::default()
        },
        // The default of OAEP without parameters is SHA-1.
        Made {
            key_parameters: vec![],
            ..Made::default()
        },
        Made {
            key_parameters: vec![0x30, 0],
            ..Made::default()
        },
        Made {
            key_parameters: sha224,
            ..Made::default()
        },
        Made {
            content_algorithm: aes_128_cbc,
            ..Made::default()
        },
        Made {
            iv: vec![3; 12],
            ..Made::default()
        },
        Made {
            version: 0,
            ..Made::default()
        },
        Made {
            recipients: 0,
            ..Made::default()
        },
        Made {
            recipients: 2,
            ..Made::default()
        },
        Made {
            behind: vec![0],
            ..Made::default()
        },
        Made {
            content: vec![],
            ..Made::default()
        },
        Made {
            content: indefinite(0xa0, &tlv(4, &[0; LIMIT])),
            ..Made::default()
        },
    ] {
        assert_eq!(parse(&made.bytes()), None);
    }
}

#[test]
fn cut_and_altered_envelopes_are_refused_without_panic() {
    let whole = Made::default().bytes();
    for length in 0..whole.len() {
        assert_eq!(parse(&whole[..length]), None, "{length}");
    }
    for index in 0..whole.len() {
        for bit in 0..8 {
            let mut altered = whole.clone();
            altered[index] ^= 1 << bit;
            let _ = parse(&altered);
        }
    }
}

#[test]
fn envelope_for_somebody_else_does_not_open() {
    let key = RecipientKey::generate().expect("a key");

    let refused = open(&Made::default().bytes(), &key);

    assert_eq!(refused.err(), Some(KmsError::Envelope));
}

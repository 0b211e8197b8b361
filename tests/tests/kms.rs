//! Sealing through AWS KMS, against a stand-in that decides as the service does.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::net::TcpStream;
use std::sync::Mutex;

use data_encoding::BASE64;
use serde_json::{Value, json};
use vettid_attestation::emulated::{DevelopmentRoot, EmulatedAttester};
use vettid_attestation::{AttestedClaims, Attester, Emulated, Evidence, Measurement, TrustAnchor};
use vettid_crypto::{DataKey, Label, SecretBytes, digest, seal};
use vettid_kms::{
    Attests, BadRole, KeyFault, KmsError, PolicyFault, Refusal, Roots, Terms, Unsealed, unseal,
};
use vettid_tests::kms::{ROLE, StandIn};
use vettid_tests::raw::{SystemEntropy, now};
use vettid_wire::Secret;
use vettid_wire::cbor;
use vettid_wire::key_arn::KeyArn;
use vettid_wire::link::sealing::{Access, SealedRoot};
use vettid_wire::time::{DAY, UnixMillis};

const PCR0: [u8; 48] = [0xa1; 48];
const OTHER: [u8; 48] = [0xb2; 48];

/// An account, its key service, and the development root that the service believes.
struct Account {
    service: StandIn,
    root: Root,
    roots: Roots,
}

/// A development root: its key and certificate.
#[derive(Clone)]
struct Root(Vec<u8>, Vec<u8>);

/// One boot, as far as it can differ.
#[derive(Clone, Copy)]
struct Boot<'a> {
    pcr0: [u8; 48],
    /// What its documents say.
    attested: [u8; 48],
    release: u32,
    now: UnixMillis,
    roots: &'a Roots,
}

/// What makes documents, and knows its own.
struct Platform {
    root: Root,
    pcr0: [u8; 48],
}

impl Platform {
    fn document(&self, claims: &AttestedClaims<'_>) -> Vec<u8> {
        let key = self.root.0.as_slice().try_into().expect("a key");
        let root = DevelopmentRoot::from_parts(key, self.root.1.clone()).expect("a root");
        let mut attester = EmulatedAttester::new(root, &measurement(self.pcr0), &mut SystemEntropy);
        attester.attest(claims, now()).expect("a document")
    }
}

impl Attests for Platform {
    type Failure = KmsError;

    fn for_recipient(&mut self, public_key: &[u8]) -> Result<Vec<u8>, KmsError> {
        Ok(self.document(&AttestedClaims {
            public_key: Some(public_key),
            ..AttestedClaims::default()
        }))
    }

    fn over(&mut self, digest: &[u8; 48]) -> Result<Vec<u8>, KmsError> {
        Ok(self.document(&AttestedClaims {
            user_data: Some(digest),
            ..AttestedClaims::default()
        }))
    }

    fn made(&self, document: &[u8], digest: &[u8; 48]) -> bool {
        let anchor = TrustAnchor::<Emulated>::parse(&self.root.1).expect("a root");
        let archived = Evidence::parse(document).and_then(|it| it.verify_archived(&anchor));
        archived.is_ok_and(|archived| {
            let said = archived.statement();
            said.measurement == measurement(self.pcr0) && said.user_data.as_deref() == Some(digest)
        })
    }
}

fn measurement(pcr0: [u8; 48]) -> Measurement {
    Measurement::new(pcr0, [2; 48], [3; 48]).expect("not debug")
}

impl Account {
    fn new() -> Self {
        let root = DevelopmentRoot::generate(now(), &mut SystemEntropy);
        let service = StandIn::start(root.certificate());
        let root = Root(root.expose_key(<[u8]>::to_vec), root.certificate().to_vec());
        let roots = Roots::dangerous_stand_in(&service.authority).expect("an authority");
        Self {
            service,
            root,
            roots,
        }
    }

    fn boot(&self) -> Boot<'_> {
        Boot {
            pcr0: PCR0,
            attested: PCR0,
            release: 1,
            now: now(),
            roots: &self.roots,
        }
    }

    fn platform(&self, pcr0: [u8; 48]) -> Platform {
        let root = self.root.clone();
        Platform { root, pcr0 }
    }

    fn unseal(&self, boot: Boot<'_>, access: &Access) -> Result<Unsealed, KmsError> {
        self.unseal_on(&mut self.platform(boot.attested), boot, access)
    }

    fn unseal_on(
        &self,
        platform: &mut impl Attests<Failure = KmsError>,
        boot: Boot<'_>,
        access: &Access,
    ) -> Result<Unsealed, KmsError> {
        let stream = TcpStream::connect(self.service.address).expect("connected");
        let terms = Terms {
            access,
            roots: boot.roots,
            release: boot.release,
            pcr0: &boot.pcr0,
            now: boot.now,
        };
        unseal(stream, &terms, &mut SystemEntropy, platform)
    }

    /// The first boot: its root and what the host keeps.
    fn first(&self) -> ([u8; 32], Vec<u8>) {
        let unsealed = self.unseal(self.boot(), &StandIn::access(None));
        let unsealed = unsealed.expect("a root");
        let root = unsealed.root.expose(|root| *root);
        (root, unsealed.to_keep.expect("something to keep"))
    }

    /// A boot of the same image, with what the host says it kept.
    fn next(&self, kept: &[u8]) -> Result<[u8; 32], KmsError> {
        let access = StandIn::access(Some(kept.to_vec()));
        let unsealed = self.unseal(self.boot(), &access)?;
        assert_eq!(unsealed.to_keep, None);
        Ok(unsealed.root.expose(|root| *root))
    }

    /// Why a first boot gets nothing while the service lies about `call`.
    fn refused_for(&self, call: &'static str, name: &'static str, value: Value) -> KmsError {
        self.service.lie(move |of, answer| {
            if of == call {
                *answer.pointer_mut(name).unwrap_or(&mut Value::Null) = value.clone();
                if answer.pointer(name).is_none() {
                    let (place, name) = name.rsplit_once('/').expect("a pointer");
                    answer.pointer_mut(place).expect("a place")[name] = value.clone();
                }
            }
        });
        let refused = self.unseal(self.boot(), &StandIn::access(None));
        self.service.tell_the_truth();
        refused.expect_err("refused")
    }
}

fn sealed(kept: &[u8]) -> SealedRoot {
    cbor::decode_exact(kept).expect("a sealed root")
}

fn key_of(kept: &[u8]) -> KeyArn {
    sealed(kept).key.parse().expect("an ARN")
}

/// A policy for an image, and one more statement.
fn policy(pcr0: &[u8; 48], more: Option<Value>) -> String {
    let image = data_encoding::HEXLOWER.encode(pcr0);
    let allow = |actions: Value| json!({ "Effect": "Allow", "Principal": { "AWS": ROLE }, "Action": actions, "Resource": "*" });
    let mut bound = allow(json!(["kms:Decrypt", "kms:GenerateDataKey"]));
    bound["Condition"] =
        json!({ "StringEqualsIgnoreCase": { "kms:RecipientAttestation:PCR0": image } });
    let look = allow(json!([
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "kms:ListGrants"
    ]));
    let mut statements = vec![bound, look];
    statements.extend(more.map(allow));
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

#[test]
fn root_is_made_at_the_first_boot_and_comes_back_at_every_later_one() {
    let account = Account::new();

    let (root, kept) = account.first();

    assert_eq!(account.service.asked(), ["CreateKey", "GenerateDataKey"]);
    for _ in 0..2 {
        assert_eq!(account.next(&kept), Ok(root));
        let used = ["DescribeKey", "GetKeyPolicy", "ListGrants", "Decrypt"];
        assert_eq!(account.service.asked(), used);
    }
    let is_in_it = kept.windows(32).any(|window| window == root);
    assert!(!is_in_it, "the host has it sealed alone");
}

#[test]
fn key_that_is_not_known_everywhere_yet_is_asked_for_again() {
    let account = Account::new();
    account.service.be_slow(2);

    let (root, kept) = account.first();

    let asked = account.service.asked();
    assert_eq!(asked[1..], ["GenerateDataKey"; 3]);
    assert_eq!(account.next(&kept), Ok(root));
}

#[test]
fn root_that_somebody_else_has_sealed_is_refused_however_good_its_key_is_now() {
    let account = Account::new();
    // Before the key got its policy, its administrator had a data key made for himself.
    let open = policy(&PCR0, Some(json!(["kms:GenerateDataKey", "kms:Decrypt"])));
    let key = account.service.key_with(&open);
    let context = json!({
        "vettid:purpose": Label::SealingRoot.as_str(), "vettid:release": "1"
    });
    let (data_key, wrapped) = account.service.data_key(&key, &context);
    account.service.set_policy(&key, &policy(&PCR0, None));
    let data_key = DataKey::from_bytes(data_key.try_into().expect("a key"));
    let binding: [&[u8]; 2] = [key.as_str().as_bytes(), &wrapped];
    let root = seal::seal(
        &data_key,
        Label::SealingRoot,
        &binding,
        &[0x66; 32],
        &mut SystemEntropy,
    );
    let release = 1_u32.to_be_bytes();
    let parts: [&[u8]; 4] = [key.as_str().as_bytes(), &release, &wrapped, &root];
    let digest = digest::labeled384(Label::SealedRoot, &parts);
    let over = |pcr0, digest| account.platform(pcr0).over(digest).expect("a document");
    let another_account = Account::new();
    let elsewhere = another_account.platform(PCR0).over(&digest);
    let documents = [
        vec![],
        // Another image says so, and this one says something else.
        over(OTHER, &digest),
        over(PCR0, &[0; 48]),
        // Under a root that is not this platform's.
        elsewhere.expect("a document"),
    ];
    for document in documents {
        let made_up = SealedRoot {
            key: key.to_string(),
            release: 1,
            data_key: wrapped.clone(),
            root: root.clone(),
            document,
        };
        let refused = account.next(&cbor::encode(&made_up));
        assert_eq!(refused, Err(KmsError::NotOwn));
    }
    assert_eq!(account.service.asked(), Vec::<String>::new());
}

#[test]
fn documents_under_another_root_are_not_believed_by_the_key_service() {
    let (account, other) = (Account::new(), Account::new());
    let access = StandIn::access(None);
    let mut foreign = other.platform(PCR0);
    let refused = account.unseal_on(&mut foreign, account.boot(), &access);
    let expected = KmsError::Refused("GenerateDataKey", Refusal::Document);
    assert_eq!(refused.err(), Some(expected));
}

/// A platform whose documents over digests prove nothing.
struct Unproven(Platform);

impl Attests for Unproven {
    type Failure = KmsError;

    fn for_recipient(&mut self, public_key: &[u8]) -> Result<Vec<u8>, KmsError> {
        self.0.for_recipient(public_key)
    }

    fn over(&mut self, _: &[u8; 48]) -> Result<Vec<u8>, KmsError> {
        self.0.over(&[0; 48])
    }

    fn made(&self, document: &[u8], digest: &[u8; 48]) -> bool {
        self.0.made(document, digest)
    }
}

#[test]
fn platform_whose_own_document_proves_nothing_seals_nothing() {
    let account = Account::new();
    let mut platform = Unproven(account.platform(PCR0));

    let drawn = account.unseal_on(&mut platform, account.boot(), &StandIn::access(None));

    assert_eq!(drawn.err(), Some(KmsError::NotOwn));
}

#[test]
fn another_image_gets_nothing_whatever_it_says() {
    let account = Account::new();
    let (_, kept) = account.first();
    let access = StandIn::access(Some(kept));
    let _ = account.service.asked();

    // It does not take what this image has sealed for its own.
    let honest = Boot {
        pcr0: OTHER,
        attested: OTHER,
        ..account.boot()
    };
    let refused = account.unseal(honest, &access).err();
    assert_eq!(refused, Some(KmsError::NotOwn));

    // If it did, the key service would not: a key for this image and a document about another one.
    let lying = Boot {
        attested: OTHER,
        ..account.boot()
    };
    let denied = |call| Some(KmsError::Refused(call, Refusal::AccessDenied));
    let access = StandIn::access(None);
    assert_eq!(
        account.unseal(lying, &access).err(),
        denied("GenerateDataKey")
    );
}

#[test]
fn key_that_somebody_may_use_by_now_is_not_used() {
    let account = Account::new();
    let (root, kept) = account.first();
    let key = key_of(&kept);
    for (action, fault) in [
        ("kms:Encrypt", PolicyFault::Action),
        ("kms:PutKeyPolicy", PolicyFault::Action),
        ("kms:CreateGrant", PolicyFault::Action),
        ("kms:GenerateDataKey", PolicyFault::Image),
        ("kms:Decrypt", PolicyFault::Image),
    ] {
        account
            .service
            .set_policy(&key, &policy(&PCR0, Some(json!(action))));
        let _ = account.service.asked();
        assert_eq!(
            account.next(&kept),
            Err(KmsError::Policy(fault)),
            "{action}"
        );
        assert_eq!(account.service.asked(), ["DescribeKey", "GetKeyPolicy"]);
    }
    account.service.set_policy(&key, &policy(&OTHER, None));
    let refused = account.next(&kept);
    assert_eq!(refused, Err(KmsError::Policy(PolicyFault::Image)));
    account.service.set_policy(&key, &policy(&PCR0, None));
    assert_eq!(account.next(&kept), Ok(root));

    account.service.grant(&key);
    assert_eq!(account.next(&kept), Err(KmsError::Grants));
}

#[test]
fn list_of_grants_that_is_cut_off_is_not_taken_for_none() {
    let account = Account::new();
    let (_, kept) = account.first();
    account.service.lie(|call, answer| {
        if call == "ListGrants" {
            answer["Truncated"] = true.into();
        }
    });

    assert_eq!(account.next(&kept), Err(KmsError::Grants));
}

#[test]
fn key_of_another_kind_is_not_used() {
    let account = Account::new();
    for (name, value, fault) in [
        ("/KeyMetadata/Origin", json!("EXTERNAL"), KeyFault::Imported),
        (
            "/KeyMetadata/Origin",
            json!("AWS_CLOUDHSM"),
            KeyFault::CustomStore,
        ),
        (
            "/KeyMetadata/CustomKeyStoreId",
            json!("cks-1"),
            KeyFault::CustomStore,
        ),
        (
            "/KeyMetadata/MultiRegion",
            json!(true),
            KeyFault::SeveralRegions,
        ),
        ("/KeyMetadata/KeyManager", json!("AWS"), KeyFault::NotOwn),
        (
            "/KeyMetadata/KeyState",
            json!("PendingDeletion"),
            KeyFault::NotEnabled,
        ),
        ("/KeyMetadata/Enabled", json!(false), KeyFault::NotEnabled),
        (
            "/KeyMetadata/KeySpec",
            json!("RSA_2048"),
            KeyFault::NotSymmetric,
        ),
        (
            "/KeyMetadata/KeyUsage",
            json!("GENERATE_VERIFY_MAC"),
            KeyFault::NotSymmetric,
        ),
    ] {
        let shown = format!("{name} {value}");
        let refused = account.refused_for("CreateKey", name, value);
        assert_eq!(refused, KmsError::Key(fault), "{shown}");
    }
    for other in [
        "arn:aws:kms:eu-central-1:999922223333:key/1",
        "arn:aws:kms:us-east-1:111122223333:key/1",
    ] {
        let refused = account.refused_for("CreateKey", "/KeyMetadata/Arn", other.into());
        assert_eq!(refused, KmsError::OtherKey);
    }
    let refused = account.refused_for("CreateKey", "/KeyMetadata/AWSAccountId", "9".into());
    assert_eq!(refused, KmsError::OtherKey);
}

#[test]
fn answers_that_are_not_for_this_enclave_alone_are_refused() {
    let account = Account::new();
    let other = account.service.key_with(&policy(&PCR0, None)).to_string();
    let changed = |name, value| account.refused_for("GenerateDataKey", name, value);

    assert_eq!(changed("/KeyId", other.into()), KmsError::OtherKey);
    assert_eq!(changed("/Plaintext", "AAAA".into()), KmsError::InTheOpen);
    let malformed = KmsError::Malformed("GenerateDataKey");
    for name in ["/CiphertextForRecipient", "/CiphertextBlob"] {
        assert_eq!(changed(name, Value::Null), malformed);
        assert_eq!(changed(name, "%".into()), malformed);
    }
    let short = BASE64.encode(&[0x30, 0x80, 0, 0]);
    let refused = changed("/CiphertextForRecipient", short.into());
    assert_eq!(refused, KmsError::Envelope);
}

#[test]
fn answer_for_whoever_asked_before_does_not_open() {
    let account = Account::new();
    let earlier = Mutex::new(None);
    account.service.lie(move |call, answer| {
        if call == "GenerateDataKey" {
            let own = answer["CiphertextForRecipient"].take();
            let before = earlier
                .lock()
                .expect("nobody panicked")
                .replace(own.clone());
            answer["CiphertextForRecipient"] = before.unwrap_or(own);
        }
    });
    let _ = account.first();

    let refused = account.unseal(account.boot(), &StandIn::access(None));

    assert_eq!(refused.err(), Some(KmsError::Envelope));
}

#[test]
fn what_the_host_kept_opens_unaltered_at_its_own_release_alone() {
    let account = Account::new();
    let (root, kept) = account.first();
    let altered = |alter: fn(&mut SealedRoot)| {
        let mut sealed = sealed(&kept);
        alter(&mut sealed);
        account.next(&cbor::encode(&sealed)).err()
    };

    assert_eq!(
        altered(|sealed| sealed.root[30] ^= 1),
        Some(KmsError::NotOwn)
    );
    assert_eq!(
        altered(|sealed| sealed.data_key[30] ^= 1),
        Some(KmsError::NotOwn)
    );
    let of_two = KmsError::KeptForRelease {
        kept: 2,
        running: 1,
    };
    assert_eq!(altered(|sealed| sealed.release = 2), Some(of_two));
    for damaged in [&kept[1..], &[], &[0; 30_000]] {
        assert_eq!(account.next(damaged), Err(KmsError::Damaged));
    }
    // The next release does not open what was sealed for the one before, nor under another name.
    let later = Boot {
        release: 2,
        ..account.boot()
    };
    let access = StandIn::access(Some(kept.clone()));
    let of_one = KmsError::KeptForRelease {
        kept: 1,
        running: 2,
    };
    assert_eq!(account.unseal(later, &access).err(), Some(of_one));
    let relabelled = SealedRoot {
        release: 2,
        ..sealed(&kept)
    };
    let access = StandIn::access(Some(cbor::encode(&relabelled)));
    assert_eq!(account.unseal(later, &access).err(), Some(KmsError::NotOwn));
    let access = Access {
        region: "us-east-1".to_owned(),
        ..StandIn::access(Some(kept.clone()))
    };
    let refused = account.unseal(account.boot(), &access).err();
    assert_eq!(refused, Some(KmsError::KeptInRegion));

    assert_eq!(
        account.next(&kept),
        Ok(root),
        "nothing was lost by all this"
    );
}

#[test]
fn whoever_cannot_prove_to_be_the_key_service_hears_nothing() {
    let account = Account::new();
    let access = StandIn::access(None);
    let amazon = Roots::amazon();
    for boot in [
        // An authority that is not Amazon's.
        Boot {
            roots: &amazon,
            ..account.boot()
        },
        // A certificate that has expired, or is not valid yet, by the enclave's clock.
        Boot {
            now: UnixMillis(now().0 + 3_000 * 365 * DAY),
            ..account.boot()
        },
        Boot {
            now: UnixMillis(0),
            ..account.boot()
        },
    ] {
        let refused = account.unseal(boot, &access).err();
        assert_eq!(refused, Some(KmsError::NotGenuine));
    }
    // A certificate for another region's endpoint.
    let access = Access {
        region: "us-east-1".to_owned(),
        ..access
    };
    let refused = account.unseal(account.boot(), &access).err();
    assert_eq!(refused, Some(KmsError::NotGenuine));
    assert_eq!(account.service.asked(), Vec::<String>::new());
}

#[test]
fn credentials_that_are_wrong_or_more_than_credentials_are_refused() {
    let account = Account::new();
    let access = StandIn::access(None);
    let refused = |access: &Access| account.unseal(account.boot(), access).err();

    let wrong_secret = Access {
        secret_access_key: Secret::from("another"),
        ..access.clone()
    };
    let no_token = Access {
        session_token: None,
        ..access.clone()
    };
    for access in [&wrong_secret, &no_token] {
        let expected = KmsError::Refused("CreateKey", Refusal::Credentials);
        assert_eq!(refused(access), Some(expected));
    }
    for id in [
        "",
        "SHORT",
        "ASIAEXAMPLE\r\nx: y00",
        "ASIAEXAMPLEEXAMPLE 0",
        "asiaexampleexample00",
    ] {
        let access = Access {
            access_key_id: id.to_owned(),
            ..access.clone()
        };
        assert_eq!(refused(&access), Some(KmsError::BadCredentials), "{id:?}");
    }
    for token in ["a\r\nx-amz-target: TrentService.Encrypt", "a b", "ü"] {
        let access = Access {
            session_token: Some(Secret::from(token)),
            ..access.clone()
        };
        assert_eq!(
            refused(&access),
            Some(KmsError::BadCredentials),
            "{token:?}"
        );
    }
    assert_eq!(account.service.asked(), Vec::<String>::new());
}

#[test]
fn host_names_a_region_and_roles_and_nothing_else() {
    let account = Account::new();
    let access = StandIn::access(None);
    let refused = |access: &Access| account.unseal(account.boot(), access).err();
    let elsewhere = Access {
        region: "s3-us-west-2".to_owned(),
        ..access.clone()
    };
    assert!(matches!(refused(&elsewhere), Some(KmsError::Region(_))));
    for role in [
        "*",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:role/*",
    ] {
        let access = Access {
            role: role.to_owned(),
            ..access.clone()
        };
        assert_eq!(refused(&access), Some(KmsError::Role(BadRole)), "{role}");
    }
    assert_eq!(account.service.asked(), Vec::<String>::new());
}

use std::io::ErrorKind;

use vettid_federation::address::BadAddress;
use vettid_wire::network::NetworkError;
use vettid_wire::network_file::NetworkTextError;

use super::*;
use crate::fault::READ;

const PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn key(&self, name: &str) -> String {
        let out = self.path(name);
        let made = NetworkCommand::Key { out }.execute().expect("made");
        made["governance"].as_str().expect("key").to_owned()
    }

    fn create(&self, keys: &[String], threshold: u32) -> Create {
        let root = self.path("root.der");
        fs::write(&root, b"certificate").expect("written");
        Create {
            from: None,
            governance: keys.to_vec(),
            threshold: Some(threshold),
            trust_root: Some(root.display().to_string()),
            image: vec![image(1)],
            deprecate: vec![],
            retire: vec![],
            release_floor: None,
            bootstrap: vec![format!("/ip4/192.0.2.1/tcp/4001/p2p/{PEER}")],
            relay: vec![],
            out: self.path("network.toml"),
        }
    }

    fn sign(&self, key: &str) -> Result<Value, Fault> {
        let file = self.path("network.toml");
        let key_file = Some(self.path(key));
        NetworkCommand::Sign(Sign { file, key_file }).execute()
    }
}

fn image(release: u32) -> String {
    let pcr = "01".repeat(48);
    format!("{release}:{pcr}:{pcr}:{pcr}")
}

#[test]
fn file_counts_once_as_many_have_signed_as_must() {
    let place = Place::new();
    let keys = [place.key("a"), place.key("b"), place.key("c")];
    let made = place.create(&keys, 2).execute().expect("made");
    assert_eq!(made["complete"], json!(false));

    assert_eq!(place.sign("a").expect("signed")["complete"], json!(false));
    assert_eq!(place.sign("a").expect("signed")["complete"], json!(false));
    let signed = place.sign("c").expect("signed");

    assert_eq!(signed["complete"], json!(true));
    assert_eq!(signed["signed_by"].as_array().map(Vec::len), Some(2));
    let file = place.path("network.toml");
    let shown = NetworkCommand::Show { file }.execute().expect("shown");
    assert_eq!(shown, signed);
}

#[test]
fn later_file_keeps_the_anchors_and_must_be_signed_anew() {
    let place = Place::new();
    let keys = [place.key("a")];
    place.create(&keys, 1).execute().expect("made");
    let first = place.sign("a").expect("signed");

    let later = Create {
        from: Some(place.path("network.toml")),
        governance: vec![],
        threshold: None,
        trust_root: None,
        image: vec![image(2)],
        deprecate: vec![],
        retire: vec![],
        release_floor: Some(2),
        bootstrap: vec![],
        relay: vec![],
        out: place.path("network.toml"),
    };
    let made = later.execute().expect("made");

    assert_eq!(made["id"], first["id"]);
    assert_eq!(made["epoch"], json!(2));
    assert_eq!(made["complete"], json!(false));
    assert_eq!(made["bootstrap"], first["bootstrap"]);
    assert_eq!(place.sign("a").expect("signed")["complete"], json!(true));
}

#[test]
fn releases_are_deprecated_and_retired_and_never_come_back() {
    let place = Place::new();
    let keys = [place.key("a")];
    let mut first = place.create(&keys, 1);
    let other = image(2).replace("01", "02");
    first.image.push(other);
    let both = first.image.clone();
    first.execute().expect("made");
    let later = |image: &[String], deprecate: &[u32], retire: &[u32]| {
        let (governance, threshold, trust_root) = (vec![], None, None);
        let create = Create {
            from: Some(place.path("network.toml")),
            governance,
            threshold,
            trust_root,
            image: image.to_vec(),
            deprecate: deprecate.to_vec(),
            retire: retire.to_vec(),
            ..place.create(&keys, 1)
        };
        let made = create.execute()?;
        let word = |index: usize| made["images"][index]["status"].as_str().map(str::to_owned);
        Ok([word(0), word(1)].map(Option::unwrap_or_default))
    };

    assert_eq!(later(&[], &[1], &[]), Ok(words("deprecated", "active")));
    assert_eq!(later(&[], &[], &[1]), Ok(words("retired", "active")));
    assert_eq!(later(&both, &[], &[]), Ok(words("retired", "active")));
    assert_eq!(later(&[], &[1], &[]), Err(Fault::Retired(1)));
    assert_eq!(later(&[], &[3], &[]), Err(Fault::Unlisted(3)));
    let nobody = later(&[], &[], &[2]);
    assert!(
        matches!(nobody, Err(Fault::Content(_))),
        "it would accept nobody: {nobody:?}"
    );
}

fn words(first: &str, second: &str) -> [String; 2] {
    [first, second].map(str::to_owned)
}

#[test]
fn key_of_nobody_signs_nothing() {
    let place = Place::new();
    let keys = [place.key("a")];
    place.key("stranger");
    place.create(&keys, 1).execute().expect("made");
    let before = fs::read(place.path("network.toml")).expect("file");

    let not_governance = Fault::File {
        path: place.path("network.toml"),
        why: NetworkTextError::NotGovernance,
    };
    assert_eq!(place.sign("stranger"), Err(not_governance));
    assert_eq!(fs::read(place.path("network.toml")).expect("file"), before);
}

#[test]
fn file_is_not_overwritten_and_nonsense_is_refused() {
    let place = Place::new();
    let keys = [place.key("a")];
    place.create(&keys, 1).execute().expect("made");
    let exists = Fault::Exists(place.path("network.toml"));
    assert_eq!(place.create(&keys, 1).execute(), Err(exists));

    let refused = |change: fn(&mut Create)| {
        let place = Place::new();
        let mut create = place.create(&keys, 1);
        change(&mut create);
        let fault = create.execute().expect_err("refused");
        assert!(!place.path("network.toml").exists(), "{fault}");
        fault
    };
    let content = |why: NetworkError| Fault::Content(why.into());
    let hex = |argument, text: &str, digits| Fault::Hex {
        argument,
        text: text.into(),
        digits,
    };
    assert_eq!(
        refused(|create| create.threshold = Some(2)),
        content(NetworkError::Empty)
    );
    assert_eq!(
        refused(|create| create.image.clear()),
        content(NetworkError::Empty)
    );
    assert_eq!(
        refused(|create| create.threshold = None),
        Fault::Missing("--threshold")
    );
    assert_eq!(
        refused(|create| create.trust_root = None),
        Fault::Missing("--trust-root")
    );
    assert_eq!(
        refused(|create| create.image = vec!["1:00:00:00".into()]),
        hex("--image", "00", 96)
    );
    for image in ["1", "1:00:00", "1:0:0:0:0", "7x:0:0:0", ""] {
        let place = Place::new();
        let mut create = place.create(&keys, 1);
        create.image = vec![image.into()];
        assert_eq!(create.execute(), Err(Fault::Image(image.into())));
    }
    assert_eq!(
        refused(|create| create.governance = vec!["00".into()]),
        hex("--governance", "00", 64)
    );
    assert_eq!(
        refused(|create| create.bootstrap = vec!["/ip4/192.0.2.1/tcp/1".into()]),
        Fault::Address {
            argument: "--bootstrap",
            text: "/ip4/192.0.2.1/tcp/1".into(),
            why: BadAddress::NoPeer,
        }
    );
    assert_eq!(
        refused(|create| create.relay = vec!["x".into(); limits::INTRODUCERS + 1]),
        Fault::TooMany("--relay")
    );
}

#[test]
fn file_that_is_none_is_named_with_what_is_wrong() {
    let place = Place::new();
    let show = |name: &str| {
        let file = place.path(name);
        NetworkCommand::Show { file }.execute()
    };
    let not_found = Fault::Io {
        path: place.path("missing.toml"),
        access: READ,
        cause: ErrorKind::NotFound,
    };
    assert_eq!(show("missing.toml"), Err(not_found));

    fs::write(place.path("empty.toml"), "").expect("written");
    let syntax = Fault::File {
        path: place.path("empty.toml"),
        why: NetworkTextError::Syntax("`signed` is missing".into()),
    };
    assert_eq!(show("empty.toml"), Err(syntax));

    let large = fs::File::create(place.path("large.toml")).expect("made");
    large.set_len(LARGEST + 1).expect("sized");
    assert_eq!(
        show("large.toml"),
        Err(Fault::Large(place.path("large.toml")))
    );
}

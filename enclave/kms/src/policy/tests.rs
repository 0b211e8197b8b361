use super::*;

const PCR0: &str = "0a0a";

fn key() -> KeyArn {
    let text = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";
    text.parse().expect("an ARN")
}

fn checked(text: &str) -> Result<(), PolicyFault> {
    check(text, &key(), PCR0)
}

/// A policy of one statement.
fn policy(principal: &str, action: &str, more: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow",
        "Principal": {{"AWS": {principal}}}, "Action": {action}, "Resource": "*"{more}}}]}}"#
    )
}

const ROLE: &str = r#""arn:aws:iam::111122223333:role/vettid-node""#;

fn for_image(condition: &str) -> String {
    let more = format!(r#", "Condition": {condition}"#);
    policy(ROLE, r#"["kms:Decrypt", "kms:GenerateDataKey"]"#, &more)
}

fn access(role: &str, retirement: Option<&str>) -> Access {
    Access {
        region: "eu-central-1".to_owned(),
        role: role.to_owned(),
        retirement: retirement.map(str::to_owned),
        access_key_id: String::new(),
        secret_access_key: vettid_wire::Secret::default(),
        session_token: None,
        sealed_root: None,
    }
}

const NODE: &str = "arn:aws:iam::111122223333:role/vettid-node";
const RETIREMENT: &str = "arn:aws:iam::111122223333:role/vettid-retirement";

#[test]
fn policy_of_a_new_key_is_accepted_for_its_image_alone_and_is_the_one_of_the_guide() {
    for retirement in [None, Some(RETIREMENT)] {
        let access = access(NODE, retirement);
        let policy = Roles::of(&access).expect("roles").policy(PCR0);

        assert_eq!(checked(&policy), Ok(()));
        assert_eq!(check(&policy, &key(), "0b0b"), Err(PolicyFault::Image));
    }
    let guide = include_str!("../../../../docs/nitro.md");
    let (_, rest) = guide.split_once("```json\n").expect("a policy");
    let (shown, _) = rest.split_once("```").expect("a policy");
    let shown = shown
        .replace("ACCOUNT", "111122223333")
        .replace("PCR0_OF_THE_RELEASE", PCR0);
    let access = access(NODE, Some(RETIREMENT));
    let policy = Roles::of(&access).expect("roles").policy(PCR0);
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(value(&shown), value(&policy));
}

#[test]
fn roles_that_are_none_or_of_two_accounts_are_refused() {
    for (role, retirement) in [
        ("", None),
        ("*", None),
        ("arn:aws:iam::111122223333:root", None),
        ("arn:aws:iam::111122223333:role/*", None),
        ("arn:aws:iam::11112222333:role/vettid-node", None),
        ("arn:aws:iam:::role/vettid-node", None),
        ("arn:aws:sts::111122223333:assumed-role/a/b", None),
        (NODE, Some("*")),
        (
            NODE,
            Some("arn:aws:iam::999922223333:role/vettid-retirement"),
        ),
        (
            NODE,
            Some("arn:aws:iam::111122223333:role/a\"}, {\"AWS\": \"*"),
        ),
    ] {
        let access = access(role, retirement);
        assert_eq!(
            Roles::of(&access).err(),
            Some(BadRole),
            "{role} {retirement:?}"
        );
    }
}

#[test]
fn image_is_named_by_either_register_in_either_case() {
    for condition in [
        r#"{"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": "0A0a"}}"#,
        r#"{"StringEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": ["0a0a"]}}"#,
        r#"{"StringEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": "0a0a",
            "kms:RecipientAttestation:PCR0": ["0a0a", "0A0A"]}}"#,
    ] {
        assert_eq!(checked(&for_image(condition)), Ok(()), "{condition}");
    }
}

#[test]
fn use_that_is_not_bound_to_this_image_alone_is_refused() {
    for condition in [
        r#"{"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": "0b0b"}}"#,
        r#"{"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": ["0a0a", "0b0b"]}}"#,
        r#"{"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": []}}"#,
        r#"{"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR1": "0a0a"}}"#,
        r#"{"StringEqualsIgnoreCase": {"kms:recipientattestation:pcr0": "0a0a"}}"#,
        r#"{"StringEqualsIgnoreCase": {}}"#,
        r#"{"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": "0a0a",
            "kms:RecipientAttestation:PCR0": "0b0b"}}"#,
        r#"{"StringEqualsIgnoreCaseIfExists": {"kms:RecipientAttestation:PCR0": "0a0a"}}"#,
        r#"{"ForAllValues:StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": "0a0a"}}"#,
        r#"{"StringLike": {"kms:RecipientAttestation:PCR0": "0a0a"}}"#,
        r#"{"StringNotEquals": {"kms:RecipientAttestation:PCR0": "0a0a"}}"#,
        r#"{"Bool": {"aws:SecureTransport": "true"}}"#,
        "{}",
        "null",
    ] {
        let refused = checked(&for_image(condition));
        assert_eq!(refused, Err(PolicyFault::Image), "{condition}");
    }
    for action in ATTESTED {
        let bare = policy(ROLE, &format!("{action:?}"), "");
        assert_eq!(checked(&bare), Err(PolicyFault::Image), "{action}");
    }
}

#[test]
fn actions_are_listed_ones_letter_for_letter() {
    for action in OPEN {
        assert_eq!(checked(&policy(ROLE, &format!("{action:?}"), "")), Ok(()));
    }
    for action in [
        "kms:*",
        "*",
        "kms:D*",
        "kms:Describe?ey",
        "kms:describekey",
        "KMS:DescribeKey",
        "kms:Encrypt",
        "kms:ReEncryptTo",
        "kms:ReEncryptFrom",
        "kms:CreateGrant",
        "kms:PutKeyPolicy",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ImportKeyMaterial",
        "kms:UpdateAlias",
        "kms:ReplicateKey",
        "kms:TagResource",
        "kms:GenerateDataKeyPair",
        "kms:DeriveSharedSecret",
    ] {
        let listed = format!(r#"["kms:DescribeKey", {action:?}]"#);
        let refused = checked(&policy(ROLE, &listed, ""));
        assert_eq!(refused, Err(PolicyFault::Action), "{action}");
    }
}

#[test]
fn principals_are_roles_and_users_of_the_account_by_name() {
    let describe = r#""kms:DescribeKey""#;
    for principal in [
        r#""arn:aws:iam::111122223333:user/path/ada""#,
        r#"["arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"]"#,
    ] {
        assert_eq!(
            checked(&policy(principal, describe, "")),
            Ok(()),
            "{principal}"
        );
    }
    for principal in [
        r#""*""#,
        r#""111122223333""#,
        r#""arn:aws:iam::111122223333:root""#,
        r#""arn:aws:iam::111122223333:role/*""#,
        r#""arn:aws:iam::111122223333:role/""#,
        r#""arn:aws:iam::999922223333:role/vettid-node""#,
        r#""arn:aws:sts::111122223333:assumed-role/a/b""#,
        r#""AROAEXAMPLEID""#,
        r#"["arn:aws:iam::111122223333:role/a", "*"]"#,
    ] {
        let refused = checked(&policy(principal, describe, ""));
        assert_eq!(refused, Err(PolicyFault::Principal), "{principal}");
    }
}

#[test]
fn other_shapes_are_refused() {
    let good = policy(ROLE, r#""kms:DescribeKey""#, "");
    assert_eq!(checked(&good), Ok(()));
    for (from, to) in [
        ("2012-10-17", "2008-10-17"),
        ("\"Allow\"", "\"Deny\""),
        ("\"Allow\"", "\"allow\""),
        ("\"Principal\"", "\"NotPrincipal\""),
        ("\"Action\"", "\"NotAction\""),
        ("\"Resource\"", "\"NotResource\""),
        ("\"Resource\": \"*\"", "\"Resource\": [\"*\"]"),
        ("\"AWS\"", "\"Service\""),
        ("{\"AWS\":", "{\"Federated\": \"x\", \"AWS\":"),
        (
            "\"Effect\": \"Allow\"",
            "\"Effect\": \"Allow\", \"Effect\": \"Allow\"",
        ),
        ("\"Statement\": [", "\"Statement\": [[], "),
        ("\"kms:DescribeKey\"", "[]"),
        ("}]}", "}]} {}"),
    ] {
        let altered = good.replace(from, to);
        assert_ne!(altered, good, "{from}");
        assert_eq!(checked(&altered), Err(PolicyFault::Shape), "{altered}");
    }
    let elsewhere = good.replace("\"Resource\": \"*\"", "\"Resource\": \"arn:aws:kms:x\"");
    assert_eq!(checked(&elsewhere), Err(PolicyFault::Resource));
}

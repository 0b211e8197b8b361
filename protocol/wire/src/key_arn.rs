//! Names of keys of AWS KMS.

use core::fmt;
use core::str::FromStr;

/// Full ARN of a key: `arn:aws:kms:REGION:ACCOUNT:key/ID`. No alias, which whoever may change it could
/// point elsewhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyArn {
    text: String,
    region: String,
    account: String,
}

/// Text is no ARN of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not the ARN of a key of one region in the partition aws: arn:aws:kms:REGION:ACCOUNT:key/ID"
)]
pub struct BadArn;

/// Text is no name of a region.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a region of the partition aws, such as eu-central-1")]
pub struct BadRegion;

/// Name of the key service's endpoint in a region. Names of other services of AWS stand in the same
/// place of an endpoint's name, so what is no region is refused.
pub fn endpoint(region: &str) -> Result<String, BadRegion> {
    let mut words = region.split('-');
    let is = |word: &str, kind: fn(&u8) -> bool| !word.is_empty() && word.bytes().all(|b| kind(&b));
    let number = words.next_back().unwrap_or_default();
    let names: Vec<&str> = words.collect();
    let is_region = region.len() <= PART
        && names.len() >= 2
        && names.iter().all(|name| is(name, u8::is_ascii_lowercase))
        && is(number, u8::is_ascii_digit);
    if is_region {
        Ok(format!("kms.{region}.amazonaws.com"))
    } else {
        Err(BadRegion)
    }
}

/// Most bytes of a region's name and of a key's id.
const PART: usize = 64;

/// Digits of an account.
const ACCOUNT: usize = 12;

impl KeyArn {
    /// Region that the key is in.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Account that the key belongs to.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for KeyArn {
    type Err = BadArn;

    fn from_str(text: &str) -> Result<Self, BadArn> {
        let rest = text.strip_prefix("arn:aws:kms:").ok_or(BadArn)?;
        let (region, rest) = rest.split_once(':').ok_or(BadArn)?;
        let (account, rest) = rest.split_once(':').ok_or(BadArn)?;
        let id = rest.strip_prefix("key/").ok_or(BadArn)?;
        let is_word = |text: &str| {
            let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            (1..=PART).contains(&text.len()) && text.bytes().all(is_letter)
        };
        let is_account = account.len() == ACCOUNT && account.bytes().all(|b| b.is_ascii_digit());
        // A key of several regions has its material in each of them, under a policy in each.
        if endpoint(region).is_err() || !is_account || !is_word(id) || id.starts_with("mrk-") {
            return Err(BadArn);
        }
        Ok(Self {
            text: text.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
        })
    }
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_arn_are_found() {
        let text = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

        let arn: KeyArn = text.parse().expect("an ARN");

        assert_eq!(
            (arn.region(), arn.account()),
            ("eu-central-1", "111122223333")
        );
        let endpoint = endpoint(arn.region());
        assert_eq!(endpoint.as_deref(), Ok("kms.eu-central-1.amazonaws.com"));
        assert_eq!(arn.to_string(), text);
    }

    #[test]
    fn regions_are_no_other_words() {
        for region in ["us-east-1", "us-gov-west-1", "ap-southeast-12"] {
            assert!(endpoint(region).is_ok(), "{region}");
        }
        for region in [
            "",
            "s3",
            "s3-us-west-2",
            "us-east",
            "us-1",
            "eu--1",
            "EU-central-1",
            "eu-central-1.evil",
            "eu-central-1x",
            "-eu-central-1",
        ] {
            assert_eq!(endpoint(region), Err(BadRegion), "{region}");
        }
    }

    #[test]
    fn whatever_could_mean_another_key_is_refused() {
        for text in [
            "",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "alias/sealing",
            "arn:aws:kms:eu-central-1:111122223333:alias/sealing",
            "arn:aws:kms:eu-central-1:111122223333:key/",
            "arn:aws:kms:eu-central-1:111122223333:key/mrk-1234abcd",
            "arn:aws:kms:eu-central-1:11112222333:key/1234abcd",
            "arn:aws:kms:eu-central-1:11112222333x:key/1234abcd",
            "arn:aws:kms::111122223333:key/1234abcd",
            "arn:aws:kms:evil.example#:111122223333:key/1234abcd",
            "arn:aws:kms:eu-central-1:111122223333:key/1234abcd:more",
            "arn:aws:kms:eu-central-1:111122223333:key/1234*",
            "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd",
            "ARN:aws:kms:eu-central-1:111122223333:key/1234abcd",
        ] {
            assert_eq!(text.parse::<KeyArn>(), Err(BadArn), "{text}");
        }
    }
}

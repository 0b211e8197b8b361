//! The object store as an S3 bucket, written with `If-None-Match: *`.

use std::ops::Range;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::{LIST_LIMIT, ObjectName, ObjectStore, Pending, Put, StoreError};

/// One attempt, from connecting to the last byte.
const ATTEMPT: Duration = Duration::from_secs(20);

/// All attempts of one call together.
const CALL: Duration = Duration::from_secs(60);

/// Attempts of one call; the SDK waits with jitter in between.
const ATTEMPTS: u32 = 3;

/// Where the bucket is. Credentials come from the environment or the AWS profile, never from here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct S3Options {
    /// Name of the bucket; it must exist.
    pub bucket: String,
    /// Put before every name, so that several nodes can share a bucket. May be empty.
    pub prefix: String,
    /// Region, also where an endpoint ignores it.
    pub region: String,
    /// Address of an S3 that is not AWS.
    pub endpoint: Option<String>,
    /// `endpoint/bucket/name` instead of `bucket.endpoint/name`.
    pub path_style: bool,
}

/// [`ObjectStore`] on S3. Cheap to clone.
#[derive(Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    prefix: String,
}

impl S3Store {
    /// Prepares a client; nothing is sent yet.
    pub async fn connect(options: &S3Options) -> Self {
        Self::with(
            aws_config::defaults(BehaviorVersion::v2026_01_12()),
            options,
        )
        .await
    }

    pub(super) async fn with(loader: ConfigLoader, options: &S3Options) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(CALL)
            .build();
        let shared = loader
            .region(Region::new(options.region.clone()))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            .load()
            .await;
        let mut config = aws_sdk_s3::config::Builder::from(&shared)
            // Stores other than AWS refuse the newer trailing checksums.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .force_path_style(options.path_style);
        if let Some(endpoint) = &options.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Self {
            client: Client::from_conf(config.build()),
            bucket: options.bucket.clone(),
            prefix: options.prefix.clone(),
        }
    }

    /// Whether the bucket answers; for `check` and readiness.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let asked = self.client.head_bucket().bucket(&self.bucket).send().await;
        asked.map(drop).map_err(|error| blame(&error))
    }

    #[cfg(test)]
    pub(super) async fn create_bucket(&self) {
        // It may be there already.
        let _ = self
            .client
            .create_bucket()
            .bucket(&self.bucket)
            .send()
            .await;
    }

    fn key(&self, name: &ObjectName) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn put_now(&self, name: ObjectName, content: Bytes) -> Result<Put, StoreError> {
        for _ in 0..ATTEMPTS {
            let sent = self
                .client
                .put_object()
                .bucket(&self.bucket)
                .key(self.key(&name))
                .if_none_match("*")
                .body(ByteStream::from(content.clone()))
                .send()
                .await;
            match sent {
                Ok(_) => return Ok(Put::Stored),
                // Another conditional write of this name runs right now: see who wins.
                Err(error) if status(&error) == Some(409) => {}
                Err(error) if status(&error) == Some(412) => return Ok(Put::AlreadyThere),
                Err(error) => return Err(blame(&error)),
            }
        }
        Err(StoreError::Failed)
    }

    async fn get_now(
        &self,
        name: ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Option<Bytes>, StoreError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Some(Bytes::new()));
        }
        let range =
            range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let sent = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(&name))
            .set_range(range)
            .send()
            .await;
        let found = match sent {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok(None),
            // The range begins behind the end.
            Err(error) if status(&error) == Some(416) => return Ok(Some(Bytes::new())),
            Err(error) => return Err(blame(&error)),
        };
        let content = found
            .body
            .collect()
            .await
            .map_err(|_| StoreError::Unreachable)?;
        Ok(Some(content.into_bytes()))
    }

    async fn delete_now(&self, name: ObjectName) -> Result<(), StoreError> {
        let key = self.key(&name);
        let sent = self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await;
        sent.map(drop).map_err(|error| blame(&error))
    }

    async fn list_now(&self, prefix: ObjectName) -> Result<Vec<ObjectName>, StoreError> {
        let sent = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(format!("{}/", self.key(&prefix)))
            .send()
            .await;
        let page = sent.map_err(|error| blame(&error))?;
        let names = page.contents().iter().filter_map(|entry| {
            let name = entry.key()?.strip_prefix(&self.prefix)?;
            ObjectName::parse(name).ok()
        });
        Ok(names.take(LIST_LIMIT).collect())
    }
}

impl ObjectStore for S3Store {
    fn put_if_absent(&self, name: ObjectName, content: Bytes) -> Pending<'_, Put> {
        Box::pin(self.put_now(name, content))
    }

    fn get(&self, name: ObjectName, range: Option<Range<u64>>) -> Pending<'_, Option<Bytes>> {
        Box::pin(self.get_now(name, range))
    }

    fn delete(&self, name: ObjectName) -> Pending<'_, ()> {
        Box::pin(self.delete_now(name))
    }

    fn list(&self, prefix: ObjectName) -> Pending<'_, Vec<ObjectName>> {
        Box::pin(self.list_now(prefix))
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error
        .raw_response()
        .map(|response| response.status().as_u16())
}

fn is_absent(error: &SdkError<GetObjectError>) -> bool {
    matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_)))
}

fn blame<E: ProvideErrorMetadata>(error: &SdkError<E>) -> StoreError {
    let kind = match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => StoreError::Unreachable,
        SdkError::ServiceError(refused) if refused.err().code() == Some("QuotaExceeded") => {
            StoreError::Full
        }
        _ => StoreError::Failed,
    };
    let code = error.code().unwrap_or("none");
    tracing::warn!(%kind, code, "the object bucket failed");
    kind
}

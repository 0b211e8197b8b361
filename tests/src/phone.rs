//! An owner's app over the SDK: what honest apps do, reconnects and repeats included.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use vettid_sdk::keystore::FileKeystore;
use vettid_sdk::transport::Dialer;
use vettid_sdk::{Entry, Error, Owner, SystemClock};
use vettid_wire::Secret;
use vettid_wire::invitation::Invitation;

use crate::owner::{PASSWORD, PIN};

/// A device whose keys lie in a folder.
pub struct Phone {
    home: PathBuf,
    runtime: Runtime,
    owner: Option<Owner>,
}

impl Phone {
    /// A device that has not enrolled, or did in an earlier life.
    ///
    /// # Panics
    /// When the system refuses threads.
    #[must_use]
    pub fn at(home: &Path) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            home: home.to_owned(),
            runtime,
            owner: None,
        }
    }

    /// Enrolls with a link, or goes on where that was interrupted.
    ///
    /// # Errors
    /// When node or vault refuses.
    ///
    /// # Panics
    /// When the link is no invitation.
    pub fn enroll(&mut self, link: &str) -> Result<(), Error> {
        self.enroll_as(Invitation::parse(link).expect("an invitation"))
    }

    /// Enrolls with an invitation.
    ///
    /// # Errors
    /// When node or vault refuses.
    pub fn enroll_as(&mut self, invitation: Invitation) -> Result<(), Error> {
        self.owner = None;
        let entry = Entry {
            invitation,
            device_name: "phone".to_owned(),
            pin: Secret::from(PIN),
            password: Secret::from(PASSWORD),
        };
        let keystore = FileKeystore::open(&self.home, Duration::from_secs(10))?;
        let enrolling = vettid_sdk::enroll(keystore, Dialer, Arc::new(SystemClock), &entry);
        self.owner = Some(self.runtime.block_on(enrolling)?);
        Ok(())
    }

    /// Switches the app off and on again: nothing but its folder remains.
    ///
    /// # Errors
    /// When the folder is not that of an enrolled device.
    #[must_use]
    pub fn restarted(self) -> Self {
        let home = self.home.clone();
        drop(self);
        Self::at(&home)
    }

    /// Runs something with the owner.
    ///
    /// # Panics
    /// When the device has not enrolled.
    pub fn with<T, F: Future<Output = T>>(&mut self, act: impl FnOnce(Owner) -> F) -> T {
        let _entered = self.runtime.enter();
        let owner = self.owner.get_or_insert_with(|| {
            let keystore = FileKeystore::open(&self.home, Duration::from_secs(10));
            Owner::open(keystore.expect("its folder"), Dialer, Arc::new(SystemClock))
                .expect("an enrolled device")
        });
        self.runtime.block_on(act(owner.clone()))
    }
}

//! What a host listens on is its own.

use super::*;
use crate::StartError;

#[tokio::test]
async fn address_that_another_host_listens_on_is_refused_with_its_name() {
    for listen in ["tcp/0", "udp/0/quic-v1"] {
        let mut first = node();
        first.listen = vec![format!("/ip4/{}/{listen}", own_ip())];
        let first = Host::start(first, 1, ADMITS).await;
        let taken = first.home().addresses.remove(0);
        let mut second = node();
        second.listen = vec![taken.clone()];

        let refused = Federation::start(second.clone(), HostKey::from_seed([2; 32])).await;

        let error = refused.map(drop).expect_err("refused");
        assert!(matches!(error, StartError::Listen { .. }));
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on {taken}: another program listens there: end it, or choose another \
                 address"
            )
        );
        first.end().await;
        let place = crate::listen::Place::of(&taken).expect("a place");
        let free = async || place.check_free().is_ok();
        eventually(free).await;
        Host::start(second, 2, ADMITS).await.end().await;
    }
}

use super::*;
use crate::attachment::{AttachmentBody, FetchError};
use vettid_wire::id::AttachmentId;

const KNOWN: AttachmentId = AttachmentId([1; 16]);

fn chunk() -> Vec<u8> {
    (0..300_000_u32).map(|n| n.to_be_bytes()[3]).collect()
}

/// Serves one known chunk from what a host is told.
async fn serve(mut host: Host) {
    while let Some(event) = host.told.recv().await {
        let Event::AttachmentAsked {
            id,
            index,
            offset,
            responder,
            ..
        } = event
        else {
            continue;
        };
        let from = usize::try_from(offset).expect("fits");
        let rest = chunk().split_off(from.min(300_000));
        if id != KNOWN || index != 0 {
            continue;
        }
        tokio::spawn(async move {
            let length = u64::try_from(rest.len()).expect("fits");
            let Some(sending) = responder.found(length) else {
                return;
            };
            for piece in rest.chunks(10_000) {
                if !sending.send(piece.to_vec()).await {
                    return;
                }
            }
        });
    }
}

async fn read_all(mut body: AttachmentBody) -> Result<Vec<u8>, FetchError> {
    let mut all = Vec::new();
    while let Some(piece) = body.next().await? {
        all.extend(piece);
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunk_is_fetched_whole_and_from_any_byte_on_from_a_node_not_yet_met() {
    let a = Host::start(node(), 1, ADMITS).await;
    let b = Host::start(node(), 2, ADMITS).await;
    let home = b.home();
    tokio::spawn(serve(b));

    let whole = a.handle.fetch_attachment(home.clone(), KNOWN, 0, 0).await;
    assert_eq!(read_all(whole.expect("found")).await, Ok(chunk()));
    let rest = a
        .handle
        .fetch_attachment(home.clone(), KNOWN, 0, 299_990)
        .await
        .expect("found");
    assert_eq!(rest.left(), 10);
    assert_eq!(read_all(rest).await, Ok(chunk().split_off(299_990)));
    let unknown = a
        .handle
        .fetch_attachment(home, AttachmentId([2; 16]), 0, 0)
        .await;
    assert_eq!(unknown.map(|_| ()), Err(FetchError::None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfer_that_its_holder_breaks_off_is_told_from_a_whole_one() {
    let a = Host::start(node(), 1, ADMITS).await;
    let mut b = Host::start(node(), 2, ADMITS).await;
    let home = b.home();
    let fetch = a.handle.fetch_attachment(home, KNOWN, 0, 0);
    let serve = async {
        let responder = b.asked().await;
        let sending = responder.found(100).expect("asked");
        assert!(sending.send(vec![1; 40]).await);
    };

    let (body, ()) = tokio::join!(fetch, serve);

    assert_eq!(
        read_all(body.expect("found")).await,
        Err(FetchError::Broken)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_refuses_us_hands_out_nothing() {
    let a = Host::start(node(), 1, ADMITS).await;
    let why = NotAdmitted::Evidence;
    let b = Host::start(node(), 2, Enclave::Refuses(why)).await;

    let fetched = a.handle.fetch_attachment(b.home(), KNOWN, 0, 0).await;

    assert_eq!(fetched.map(|_| ()), Err(FetchError::Unreachable));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_has_few_of_the_places_for_attachments_however_many_hosts_it_has() {
    let mut config = node();
    config.limits.attachments_per_node = 2;
    let a = Host::start(node(), 1, ADMITS).await;
    let mut b = Host::start(config, 2, ADMITS).await;
    let mut c = Host::start(node(), 3, ADMITS).await;
    c.dial(&b).await;
    c.admitted(&b).await;
    let home = b.home();
    let mut asking = Vec::new();
    let mut unanswered = Vec::new();
    for _ in 0..2 {
        let (handle, home) = (a.handle.clone(), home.clone());
        asking.push(tokio::spawn(async move {
            handle.fetch_attachment(home, KNOWN, 0, 0).await
        }));
        unanswered.push(b.asked().await);
    }

    let twin = Host::start(node(), 4, ADMITS).await;
    twin.handle.local_node(a.node).await.expect("runs");
    for host in [&a, &twin] {
        let third = host.handle.fetch_attachment(home.clone(), KNOWN, 0, 0);
        assert_eq!(third.await.map(|_| ()), Err(FetchError::Broken));
    }
    let other = tokio::spawn(async move { c.handle.fetch_attachment(home, KNOWN, 0, 0).await });
    drop(b.asked().await);
    let other = other.await.expect("runs").map(|_| ());
    assert_eq!(other, Err(FetchError::None));
    drop(unanswered);
}

impl Host {
    async fn asked(&mut self) -> crate::attachment::Responder {
        self.wait(|event| match event {
            Event::AttachmentAsked { responder, .. } => Some(responder),
            _ => None,
        })
        .await
    }
}

use super::fixture::*;
use crate::*;
use std::time::Instant;

#[test]
fn cost() {
    let mut scene = Scene::new();
    let known = scene.open().0.known_enclave().unwrap();
    let n = 200;
    for _ in 0..2 {
        let t = Instant::now();
        for k in 0..n {
            let terms = scene.app_terms().knowing(known.clone());
            let (i, f) =
                Initiator::start(&terms, &scene.device.verifier, NOW, &mut random(k)).unwrap();
            let (r, f) =
                Responder::accept(&scene.vault_terms(), NOW, &f, &mut random(k + 9999)).unwrap();
            let (s, c, f) = scene.finish(i, &f).unwrap();
            let r = waiting(r.handle(NOW, &f, None));
            let e = c.prove_with_key(&scene.device.key);
            let (i, f) = s.supply(NOW, &e).unwrap();
            let (s, c) = owing(r.handle(NOW, &f, None)).unwrap();
            let e = scene.enclave.prove(&c, NOW);
            let (_, f) = s.supply(NOW, &e).unwrap();
            scene.judge(i, &f).unwrap();
        }
        let ours = t.elapsed() / n as u32;
        let t = Instant::now();
        for _ in 0..n {
            struct R;
            use snow::params::*;
            use snow::resolvers::*;
            use snow::types::*;
            struct G;
            impl Random for G {
                fn try_fill_bytes(&mut self, d: &mut [u8]) -> Result<(), snow::Error> {
                    d.fill(7);
                    Ok(())
                }
            }
            impl CryptoResolver for R {
                fn resolve_rng(&self) -> Option<Box<dyn Random>> {
                    Some(Box::new(G))
                }
                fn resolve_dh(&self, c: &DHChoice) -> Option<Box<dyn Dh>> {
                    DefaultResolver.resolve_dh(c)
                }
                fn resolve_hash(&self, c: &HashChoice) -> Option<Box<dyn Hash>> {
                    DefaultResolver.resolve_hash(c)
                }
                fn resolve_cipher(&self, c: &CipherChoice) -> Option<Box<dyn Cipher>> {
                    DefaultResolver.resolve_cipher(c)
                }
            }
            let p: NoiseParams = "Noise_XX_25519_ChaChaPoly_SHA256".parse().unwrap();
            let mut a = snow::Builder::with_resolver(p.clone(), Box::new(R))
                .local_private_key(&[1; 32])
                .unwrap()
                .build_initiator()
                .unwrap();
            let mut b = snow::Builder::with_resolver(p, Box::new(R))
                .local_private_key(&[2; 32])
                .unwrap()
                .build_responder()
                .unwrap();
            let mut m = [0; 1000];
            let mut o = [0; 1000];
            let l = a.write_message(&[], &mut m).unwrap();
            b.read_message(&m[..l], &mut o).unwrap();
            let l = b.write_message(&[], &mut m).unwrap();
            a.read_message(&m[..l], &mut o).unwrap();
            let l = a.write_message(&[], &mut m).unwrap();
            b.read_message(&m[..l], &mut o).unwrap();
            let _ = (
                a.into_transport_mode().unwrap(),
                b.into_transport_mode().unwrap(),
            );
        }
        let stock = t.elapsed() / n as u32;
        let (mut app, mut vault) = scene.open();
        let t = Instant::now();
        for _ in 0..2000 {
            for f in app.seal(NOW, &[7; 1024]).unwrap() {
                vault.open(NOW, &f).unwrap();
            }
        }
        let kb = t.elapsed() / 2000;
        eprintln!(
            "ours {ours:?} stock {stock:?} ratio {:.2}; 1 KiB both sides {kb:?}",
            ours.as_secs_f64() / stock.as_secs_f64()
        );
    }
}

#[test]
fn parts_cost() {
    use vettid_crypto::*;
    let mut e = random(1);
    macro_rules! t { ($n:literal, $x:expr) => {{ let t = Instant::now(); for _ in 0..50 { let _ = $x; } eprintln!("ours {} {:?}", $n, t.elapsed() / 50); }} }
    t!("kem gen", ml_kem::DecapsulationKey::generate(&mut e));
    let k = ml_kem::DecapsulationKey::generate(&mut e);
    t!("kem ek", k.encapsulation_key());
    let ek = k.encapsulation_key();
    t!("encaps", ml_kem::encapsulate(&ek, &mut e));
    let c = ml_kem::encapsulate(&ek, &mut e).unwrap().0;
    t!("decaps", k.decapsulate(&c));
    let s = sign::SigningKey::from_seed(&[1; 32]);
    t!("sign", s.sign(Label::VaultId, &[b"x"]));
    let sig = s.sign(Label::VaultId, &[b"x"]);
    t!("verify", s.verifying_key().verify(Label::VaultId, &[b"x"], &sig));
    let hello = message::Hello::new(ek.clone()).unwrap();
    t!("cbor enc", vettid_wire::cbor::encode(&hello));
    let b = vettid_wire::cbor::encode(&hello);
    t!("cbor dec", vettid_wire::cbor::decode::<message::Hello>(&b));
    t!("seeded 96", e.bytes::<96>());
    let st = x25519::X25519Secret::from_bytes(&[1; 32]);
    t!("noise new", noise::Handshake::new(Role::Initiator, &st, &[], &mut e));
    t!("x25519 pub fast", st.public());
    let mut pad = vec![7; 1024];
    t!("pad", { pad.truncate(1024); vettid_wire::padding::pad(&mut pad) });
    t!("unpad", vettid_wire::padding::unpad(&pad));
}

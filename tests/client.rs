//! The generated TypeScript client: the same as the server describes itself, and what it promises holds.

use strata_tests::{judge, server, strata_binary};

#[test]
fn the_typed_client_is_what_the_server_describes() {
    let s = server();
    let seen = judge("client.mjs", &[&s.url, &s.token, strata_binary().to_str().expect("UTF-8")]);
    assert_eq!(seen["same"], true, "clients/typescript/strata.d.ts is old: run `make client`");
    assert_eq!(seen["sound"], "", "example.ts does not type-check");
    assert_eq!(seen["refused"], true, "a wrong input passed the type check");
    assert!(seen["segments"].as_u64() > Some(1) && seen["close"].as_u64() > Some(0), "{seen}");
    assert_eq!(seen["wrong"], "not-found", "{seen}");
}

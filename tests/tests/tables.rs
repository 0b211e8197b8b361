//! The generated tables in `docs/` are what the code says.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

#[test]
fn tables_in_the_docs_are_up_to_date() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    for (name, text) in vettid_tests::tables::all() {
        let kept = std::fs::read_to_string(format!("{docs}/{name}")).unwrap_or_default();
        assert_eq!(
            kept, text,
            "docs/{name}: write it with `cargo xtask tables`"
        );
    }
}

#[test]
fn every_table_has_a_title_and_rows_of_equal_width() {
    for (name, text) in vettid_tests::tables::all() {
        assert!(text.starts_with("# "), "{name}");
        let widths: Vec<usize> = text
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| line.replace("\\|", "").matches('|').count())
            .collect();
        assert!(widths.len() > 2, "{name}");
        assert!(
            widths.iter().all(|width| *width == widths[0]),
            "{name}: {widths:?}"
        );
    }
}

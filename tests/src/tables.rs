//! The generated tables under `docs/`: what reviewers read instead of code.

use std::fmt::Write;

use vettid_crypto::Label;
use vettid_federation::metrics::Metrics as OfNetwork;
use vettid_node::metrics::Metrics as OfNode;
use vettid_wire::refusal::Code;
use vettid_wire::subject;

/// Every table: its file name and text.
#[must_use]
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("labels.md", labels()),
        ("metrics.md", metrics()),
        ("operations.md", operations()),
        ("refusals.md", refusals()),
        ("subjects.md", subjects()),
    ]
}

fn labels() -> String {
    let rows = Label::ALL
        .iter()
        .map(|label| [code(label.as_str()), tidy(label.purpose())]);
    table("Domain labels", "Label::ALL", ["label", "for"], rows)
}

fn metrics() -> String {
    let rows = OfNode::table()
        .into_iter()
        .chain(OfNetwork::table())
        .map(|(name, kind, help)| [code(&name), kind.to_owned(), tidy(help)]);
    table(
        "Metrics of nodes, bootstrap nodes and relays",
        "metrics.rs of node and federation",
        ["metric", "kind", "what"],
        rows,
    )
}

fn operations() -> String {
    let rows = vettid_vault::table().into_iter().map(|row| {
        [
            code(row.operation),
            row.grant.as_str().to_owned(),
            format!("{:?}", row.proof).to_lowercase(),
            row.effect.to_owned(),
            row.audit.as_str().to_owned(),
            row.room.as_str().to_owned(),
            row.limit.to_string(),
        ]
    });
    let heads = [
        "operation",
        "grant",
        "proof",
        "effect",
        "audit",
        "room",
        "body, bytes",
    ];
    table(
        "Operations of a vault",
        "vettid_vault::table()",
        heads,
        rows,
    )
}

fn refusals() -> String {
    let rows = Code::ALL
        .iter()
        .map(|refused| [code(refused.as_str()), tidy(refused.advice())]);
    table(
        "Refusals",
        "Code::ALL",
        ["code", "what happened, and what to do"],
        rows,
    )
}

fn subjects() -> String {
    let rows = subject::ALL.iter().map(|(pattern, publisher, subscriber)| {
        [
            code(pattern),
            (*publisher).to_owned(),
            (*subscriber).to_owned(),
        ]
    });
    table(
        "Subjects of the bus",
        "wire::subject",
        ["subject", "published by", "heard by"],
        rows,
    )
}

/// A page with one table and where it comes from.
fn table<const N: usize>(
    title: &str,
    source: &str,
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let mut page = format!("# {title}\n\nWritten by `cargo xtask tables` from `{source}`.\n\n");
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    page.push_str(&line(&heads.map(str::to_owned)));
    let _ = writeln!(page, "|{}", "---|".repeat(N));
    for row in rows {
        page.push_str(&line(&row));
    }
    page
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// One line without what would end a cell.
fn tidy(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

//! Counts one Rust file.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Lines of one file by kind, and its functions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counted {
    /// Neither blank nor comment, outside tests.
    pub(crate) production: usize,
    /// Neither blank nor comment, inside tests.
    pub(crate) test: usize,
    /// `///` lines outside tests.
    pub(crate) item_docs: usize,
    /// `//!` lines outside tests.
    pub(crate) module_docs: usize,
    /// Other comment lines outside tests.
    pub(crate) comments: usize,
    /// Functions outside tests.
    pub(crate) functions: Vec<Function>,
    /// Files that hold the modules this file declares for tests only.
    pub(crate) test_modules: Vec<PathBuf>,
}

/// One function: its name and its lines from signature to closing brace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Function {
    /// Name, without its path.
    pub(crate) name: String,
    /// Lines it spans.
    pub(crate) lines: usize,
}

/// Counts the file at `path` with content `text`; `all_test` says that all of it is test code.
pub(crate) fn count(path: &Path, text: &str, all_test: bool) -> Result<Counted> {
    let file = syn::parse_file(text).with_context(|| path.display().to_string())?;
    let mut finder = Finder {
        folder: module_folder(path),
        ..Finder::default()
    };
    finder.visit_file(&file);
    let mut counted = Counted {
        test_modules: finder.test_modules,
        ..Counted::default()
    };
    if !all_test {
        counted.functions = finder.functions;
    }
    for (index, line) in text.lines().enumerate() {
        let number = index.saturating_add(1);
        let in_test = all_test || finder.tests.iter().any(|range| range.contains(&number));
        let line = line.trim_start();
        let kind = match line {
            "" => continue,
            _ if line.starts_with("///") => &mut counted.item_docs,
            _ if line.starts_with("//!") => &mut counted.module_docs,
            _ if line.starts_with("//") => &mut counted.comments,
            _ if in_test => &mut counted.test,
            _ => &mut counted.production,
        };
        if !in_test || !line.starts_with("//") {
            *kind = kind.saturating_add(1);
        }
    }
    Ok(counted)
}

/// The folder in which the file's own submodules are.
fn module_folder(path: &Path) -> PathBuf {
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    match path.file_stem().and_then(|stem| stem.to_str()) {
        None | Some("lib" | "main" | "mod") => folder,
        Some(stem) => folder.join(stem),
    }
}

#[derive(Default)]
struct Finder {
    folder: PathBuf,
    functions: Vec<Function>,
    tests: Vec<RangeInclusive<usize>>,
    test_modules: Vec<PathBuf>,
}

impl Finder {
    fn note_function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let start = signature.span().start().line;
        let end = body.brace_token.span.close().end().line;
        let lines = end.saturating_sub(start).saturating_add(1);
        self.functions.push(Function {
            name: signature.ident.to_string(),
            lines,
        });
    }

    /// Whether the item is for tests; its lines are noted if so.
    fn note_test(&mut self, attributes: &[syn::Attribute], item: &impl Spanned) -> bool {
        let test = attributes.iter().any(is_test);
        if test {
            let span = item.span();
            self.tests.push(span.start().line..=span.end().line);
        }
        test
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if let syn::Item::Mod(module) = item
            && module.content.is_none()
            && module.attrs.iter().any(is_test)
        {
            let name = module.ident.to_string();
            self.test_modules
                .push(self.folder.join(format!("{name}.rs")));
            self.test_modules.push(self.folder.join(name));
        }
        if !self.note_test(attributes(item), item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.note_function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !self.note_test(&item.attrs, item) {
            self.note_function(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.note_function(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

/// `#[test]`, `#[tokio::test]` or `#[cfg(..test..)]` without a `not`.
fn is_test(attribute: &syn::Attribute) -> bool {
    let path = attribute.path();
    if path
        .segments
        .last()
        .is_some_and(|segment| segment.ident == "test")
    {
        return true;
    }
    let syn::Meta::List(list) = &attribute.meta else {
        return false;
    };
    let words: BTreeSet<String> = list
        .tokens
        .to_string()
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .map(str::to_owned)
        .collect();
    path.is_ident("cfg") && words.contains("test") && !words.contains("not")
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"//! Module.

/// Item.
pub fn first() {
    // Why.
    let text = "x";
    drop(text);
}

struct S;

impl S {
    fn second(&self) {}

    #[cfg(test)]
    fn seen(&self) {}
}

#[cfg(test)]
mod fixture;

#[cfg(not(test))]
fn third() {}

#[cfg(test)]
mod tests {
    // Not counted.
    #[test]
    fn works() {
        assert!(true);
    }
}
"#;

    #[test]
    fn lines_are_counted_by_kind() {
        let counted = count(Path::new("src/lib.rs"), FILE, false).unwrap();

        assert_eq!(counted.module_docs, 1);
        assert_eq!(counted.item_docs, 1);
        assert_eq!(counted.comments, 1);
        assert_eq!(counted.production, 10);
        assert_eq!(counted.test, 2 + 2 + 7);
    }

    #[test]
    fn functions_outside_tests_are_measured_from_signature_to_brace() {
        let counted = count(Path::new("src/lib.rs"), FILE, false).unwrap();

        let found: Vec<_> = counted
            .functions
            .iter()
            .map(|f| (f.name.as_str(), f.lines))
            .collect();
        assert_eq!(found, [("first", 5), ("second", 1), ("third", 1)]);
    }

    #[test]
    fn module_declared_for_tests_names_its_file() {
        let of = |path| count(Path::new(path), FILE, false).unwrap().test_modules;

        assert_eq!(
            of("src/lib.rs"),
            [Path::new("src/fixture.rs"), Path::new("src/fixture")]
        );
        assert_eq!(
            of("src/a.rs"),
            [Path::new("src/a/fixture.rs"), Path::new("src/a/fixture")]
        );
    }

    #[test]
    fn test_file_has_no_production_lines() {
        let counted = count(Path::new("tests/a.rs"), FILE, true).unwrap();

        assert_eq!(counted.production, 0);
        assert_eq!(counted.test, 21);
        assert_eq!(counted.functions, []);
    }
}

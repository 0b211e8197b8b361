//! The targets, and how the workspace stands to them.

use std::collections::BTreeMap;

use super::count::Counted;

/// Production lines of a file, at most.
pub(crate) const FILE_CEILING: usize = 400;
/// Lines of a function, at most.
pub(crate) const FUNCTION_CEILING: usize = 60;

/// Folders whose tests must keep up with their production code.
const TESTED: [&str; 2] = ["enclave", "protocol"];

/// One number about the whole workspace or one folder, and the range it should be in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    /// Name in report and allow list.
    pub(crate) name: String,
    /// Measured.
    pub(crate) value: f64,
    /// Lowest value meant.
    pub(crate) at_least: f64,
    /// Highest value meant.
    pub(crate) at_most: f64,
    /// Whether missing the range fails the check. Shares of comments are told, not forced: a
    /// comment written for a percentage is worse than none.
    pub(crate) binding: bool,
}

impl Figure {
    fn guide(self) -> Self {
        Self {
            binding: false,
            ..self
        }
    }

    /// Whether the value is in its range.
    pub(crate) fn met(&self) -> bool {
        (self.at_least..=self.at_most).contains(&self.value)
    }
}

/// All figures from the counted files, by path relative to the root.
pub(crate) fn figures(files: &BTreeMap<String, Counted>) -> Vec<Figure> {
    let sum = |part: fn(&Counted) -> usize| files.values().map(part).sum::<usize>();
    let docs = sum(|file| file.item_docs);
    let module = sum(|file| file.module_docs);
    let other = sum(|file| file.comments);
    let lines = sum(|file| file.production) + docs + module + other;
    let sizes = files
        .values()
        .map(|file| file.production)
        .filter(|&lines| lines > 0);
    let functions = files
        .values()
        .flat_map(|file| &file.functions)
        .map(|function| function.lines);
    let mut figures = vec![
        figure(
            "median production lines a file",
            median(sizes.collect()),
            0.0,
            200.0,
        ),
        figure(
            "median lines a function",
            median(functions.collect()),
            0.0,
            10.0,
        ),
        figure("item docs, % of lines", percent(docs, lines), 15.0, 25.0).guide(),
        figure("module docs, % of lines", percent(module, lines), 3.0, 5.0).guide(),
        figure(
            "other comments, % of lines",
            percent(other, lines),
            2.0,
            5.0,
        )
        .guide(),
    ];
    for folder in TESTED {
        let inside = |file: &&String| file.split('/').next() == Some(folder);
        let of = |part: fn(&Counted) -> usize| {
            files
                .iter()
                .filter(|(path, _)| inside(path))
                .map(|(_, file)| part(file))
                .sum::<usize>()
        };
        let ratio = ratio(of(|file| file.test), of(|file| file.production));
        figures.push(figure(
            &format!("test lines a production line in {folder}/"),
            ratio,
            0.7,
            f64::MAX,
        ));
    }
    figures
}

fn figure(name: &str, value: f64, at_least: f64, at_most: f64) -> Figure {
    Figure {
        binding: true,
        name: name.to_owned(),
        value,
        at_least,
        at_most,
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    ratio(part, whole) * 100.0
}

fn ratio(part: usize, whole: usize) -> f64 {
    float(part) / float(whole.max(1))
}

fn median(mut values: Vec<usize>) -> f64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().map_or(0.0, float)
}

/// Exact for every count of lines: those fit 32 bits.
fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> BTreeMap<String, Counted> {
        let file = |production, test| Counted {
            production,
            test,
            ..Counted::default()
        };
        BTreeMap::from([
            ("protocol/wire/src/lib.rs".to_owned(), file(100, 60)),
            ("protocol/wire/src/id.rs".to_owned(), file(300, 240)),
            ("node/src/main.rs".to_owned(), file(20, 0)),
        ])
    }

    fn value(name: &str) -> Figure {
        figures(&files())
            .into_iter()
            .find(|figure| figure.name.starts_with(name))
            .unwrap()
    }

    #[test]
    fn median_is_the_middle_file() {
        assert_eq!(value("median production").value, 100.0);
    }

    #[test]
    fn test_ratio_counts_one_folder_only() {
        let protocol = value("test lines a production line in protocol/");

        assert_eq!(protocol.value, 0.75);
        assert!(protocol.met());
        assert!(!value("test lines a production line in enclave/").met());
    }

    #[test]
    fn percentages_are_of_non_blank_lines() {
        let mut files = files();
        files.insert(
            "a/src/b.rs".to_owned(),
            Counted {
                item_docs: 105,
                ..Counted::default()
            },
        );

        let docs = figures(&files)
            .into_iter()
            .find(|f| f.name.starts_with("item docs"))
            .unwrap();

        assert_eq!(docs.value, 20.0);
        assert!(docs.met());
    }
}

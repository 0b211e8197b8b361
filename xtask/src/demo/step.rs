//! Steps of a story, and how they are told.

use std::io::Write;

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// One step over a scene `S`.
pub(crate) struct Step<S> {
    /// Short name, stable: programs read it.
    pub(crate) name: &'static str,
    /// What it shows, in plain words.
    pub(crate) words: &'static str,
    /// Does it; answers a detail worth telling, fails if something is not as told.
    pub(crate) run: fn(&mut S) -> Result<String>,
}

/// How the story is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Voice {
    /// One JSON object a step: step, ok, detail.
    Json,
    /// Progress in words.
    Words,
}

#[derive(Serialize)]
struct Told<'a> {
    step: &'a str,
    ok: bool,
    detail: &'a str,
}

/// Tells the steps in order, and that the story is over; stops at the first that fails and names it in the
/// error.
pub(crate) fn tell<S>(
    steps: &[&Step<S>],
    scene: &mut S,
    voice: Voice,
    out: &mut impl Write,
) -> Result<()> {
    for (index, step) in steps.iter().enumerate() {
        if voice == Voice::Words {
            writeln!(
                out,
                "[{}/{}] {}",
                index.saturating_add(1),
                steps.len(),
                step.words
            )?;
            out.flush()?;
        }
        let outcome = (step.run)(scene);
        let (ok, detail) = match &outcome {
            Ok(detail) => (true, detail.clone()),
            Err(error) => (false, format!("{error:#}")),
        };
        match voice {
            Voice::Json => {
                let told = Told {
                    step: step.name,
                    ok,
                    detail: &detail,
                };
                writeln!(
                    out,
                    "{}",
                    serde_json::to_string(&told).context("a step as JSON")?
                )?;
            }
            Voice::Words => {
                let word = if ok { "ok" } else { "NOT AS TOLD" };
                writeln!(
                    out,
                    "      {word}: {}",
                    detail.replace('\n', "\n          ")
                )?;
            }
        }
        out.flush()?;
        if outcome.is_err() {
            bail!("step {} is not as told", step.name);
        }
    }
    if voice == Voice::Words {
        writeln!(out, "That is the whole story, and every step was as told.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step<u32>; 3] = [
        Step {
            name: "one",
            words: "Counts one",
            run: count,
        },
        Step {
            name: "refuse",
            words: "Refuses",
            run: |_| bail!("vault is locked"),
        },
        Step {
            name: "two",
            words: "Counts two",
            run: count,
        },
    ];
    const LINES: [Step<u32>; 1] = [Step {
        name: "lines",
        words: "Tells lines",
        run: |_| Ok("one\ntwo".to_owned()),
    }];

    fn count(seen: &mut u32) -> Result<String> {
        *seen += 1;
        Ok(format!("counted {seen}"))
    }

    fn told(steps: &[Step<u32>], voice: Voice) -> (String, u32, Result<()>) {
        let mut out = Vec::new();
        let mut seen = 0;
        let steps: Vec<_> = steps.iter().collect();
        let outcome = tell(&steps, &mut seen, voice, &mut out);
        (String::from_utf8(out).unwrap(), seen, outcome)
    }

    #[test]
    fn json_is_one_object_a_step() {
        let (text, _, outcome) = told(&STEPS[..1], Voice::Json);

        assert_eq!(
            text,
            "{\"step\":\"one\",\"ok\":true,\"detail\":\"counted 1\"}\n"
        );
        assert!(outcome.is_ok());
    }

    #[test]
    fn failed_step_is_told_ends_the_story_and_fails_the_command() {
        let (text, seen, outcome) = told(&STEPS, Voice::Json);

        assert_eq!(
            text.lines().last().unwrap(),
            "{\"step\":\"refuse\",\"ok\":false,\"detail\":\"vault is locked\"}"
        );
        assert_eq!(seen, 1);
        assert_eq!(
            outcome.unwrap_err().to_string(),
            "step refuse is not as told"
        );
    }

    #[test]
    fn words_show_progress_before_and_after_a_step() {
        let (text, _, _) = told(&STEPS[..1], Voice::Words);

        let end = "That is the whole story, and every step was as told.\n";
        assert_eq!(
            text,
            format!("[1/1] Counts one\n      ok: counted 1\n{end}")
        );
        let (text, _, _) = told(&LINES, Voice::Words);
        let lines = "[1/1] Tells lines\n      ok: one\n          two\n";
        assert_eq!(text, format!("{lines}{end}"));
        let (text, _, _) = told(&STEPS, Voice::Words);
        assert!(!text.contains(end));
    }
}

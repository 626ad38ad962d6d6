//! One line of the doctor's report.

use std::fmt;

use serde_json::{Value, json};

/// What one look showed.
#[derive(Debug)]
pub(super) struct Check {
    what: &'static str,
    verdict: Verdict,
    seen: String,
    remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warning,
    Failed,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

impl Check {
    /// In order.
    pub(super) fn ok(what: &'static str, seen: impl Into<String>) -> Self {
        Self {
            what,
            verdict: Verdict::Ok,
            seen: seen.into(),
            remedy: None,
        }
    }

    /// Not in order, and how to mend it: a warning until it is made a failure.
    pub(super) fn wrong(
        what: &'static str,
        seen: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            what,
            verdict: Verdict::Warning,
            seen: seen.into(),
            remedy: Some(remedy.into()),
        }
    }

    /// What the configuration says of itself.
    pub(super) fn of_problem(what: &'static str, problem: &config::Problem) -> Self {
        let place = problem
            .origin
            .as_ref()
            .map(|origin| format!("{origin}: "))
            .unwrap_or_default();
        Self::wrong(
            what,
            format!("{place}{} {}", problem.key, problem.what),
            problem.remedy.clone(),
        )
    }

    /// The same, as something with which the bridge does not work.
    pub(super) fn failed(mut self) -> Self {
        self.verdict = Verdict::Failed;
        self
    }

    pub(super) fn is_failed(&self) -> bool {
        self.verdict == Verdict::Failed
    }

    pub(super) fn into_json(self) -> Value {
        json!({"check": self.what, "verdict": self.verdict.name(), "seen": self.seen, "remedy": self.remedy})
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<8} {:<14} {}",
            self.verdict.name(),
            self.what,
            self.seen
        )?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n{:<23} → {remedy}", ""),
            None => Ok(()),
        }
    }
}

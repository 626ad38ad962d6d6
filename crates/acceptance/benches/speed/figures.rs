//! The figures, their targets, and how they are shown.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::Path;

/// What was measured, in the order of measuring.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    name: String,
    target: Target,
    value: f64,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// Smaller is better.
    Below(f64),
    /// Larger is better.
    AtLeast(f64),
    /// Nothing: it stands beside another figure, for comparison.
    None,
}

impl Target {
    fn verdict(self, value: f64) -> &'static str {
        match self {
            Self::Below(most) if value > most => "  above",
            Self::AtLeast(least) if value < least => "  below",
            Self::Below(_) | Self::AtLeast(_) | Self::None => "",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(most) => f.pad(&format!("< {most}")),
            Self::AtLeast(least) => f.pad(&format!(">= {least}")),
            Self::None => f.pad(""),
        }
    }
}

impl Figures {
    /// Notes a figure.
    pub(crate) fn add(&mut self, name: impl Into<String>, target: Target, value: f64) {
        self.0.push(Figure {
            name: name.into(),
            target,
            value,
        });
    }

    /// Notes the median and the 99th percentile of `samples`, in milliseconds, which should be below `targets`.
    pub(crate) fn add_latencies(&mut self, stem: &str, targets: (f64, f64), samples: Vec<f64>) {
        let samples = Samples::new(samples);
        let (p50, p99) = (samples.at(0.50), samples.at(0.99));
        self.add(format!("{stem}_p50_ms"), Target::Below(targets.0), p50);
        self.add(format!("{stem}_p99_ms"), Target::Below(targets.1), p99);
    }

    /// Writes the table to standard output.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "\n{:<34} {:>12} {:>12}",
            "figure", "measured", "target"
        )?;
        for Figure {
            name,
            target,
            value,
        } in &self.0
        {
            let verdict = target.verdict(*value);
            writeln!(out, "{name:<34} {value:>12.4} {target:>12}{verdict}")?;
        }
        Ok(())
    }

    /// Writes the figures to `path` as one JSON object.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let figures: BTreeMap<&str, f64> =
            self.0.iter().map(|f| (f.name.as_str(), f.value)).collect();
        std::fs::write(path, serde_json::to_string_pretty(&figures)?)?;
        Ok(())
    }
}

/// Measured values of one thing, in order of size.
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn new(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self(samples)
    }

    /// The value that a `share` of the samples does not reach; not a number where there are none.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let place = (self.0.len() as f64 * share) as usize;
        self.0.get(place).copied().unwrap_or(f64::NAN)
    }
}

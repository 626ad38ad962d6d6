//! The figures, their targets, and how they are shown.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// What was measured, in the order of measuring.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    name: String,
    target: f64,
    value: f64,
}

impl Figures {
    /// Notes a figure; smaller is better.
    pub(crate) fn add(&mut self, name: impl Into<String>, target: f64, value: f64) {
        self.0.push(Figure {
            name: name.into(),
            target,
            value,
        });
    }

    /// Notes the median and the 99th percentile of `samples`, in milliseconds.
    pub(crate) fn add_latencies(&mut self, stem: &str, targets: (f64, f64), mut samples: Vec<f64>) {
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| {
            samples
                .get((samples.len() as f64 * share) as usize)
                .copied()
                .unwrap_or(f64::NAN)
        };
        self.add(format!("{stem}_p50_ms"), targets.0, at(0.50));
        self.add(format!("{stem}_p99_ms"), targets.1, at(0.99));
    }

    /// Writes the table to standard output.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "\n{:<24} {:>12} {:>12}",
            "figure", "measured", "target"
        )?;
        for Figure {
            name,
            target,
            value,
        } in &self.0
        {
            let verdict = if value <= target { "" } else { "  above" };
            writeln!(
                out,
                "{name:<24} {value:>12.4} {:>12}{verdict}",
                format!("< {target}")
            )?;
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

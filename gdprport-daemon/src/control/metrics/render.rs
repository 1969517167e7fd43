//! Metrics as bytes: OpenMetrics 1.0, and the older text format for readers that ask for it.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::family::{Family, Sample, Type, Value};

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
    OpenMetrics,
    /// Version 0.0.4 of <https://prometheus.io/docs/instrumenting/exposition_formats/>, which `promtool check metrics` reads.
    Text,
}

impl Format {
    /// What a reader asks for by the header `Accept`: OpenMetrics, unless it names the older format alone.
    #[must_use]
    pub(crate) fn accepted(accept: &str) -> Self {
        let names = |media: &str| accept.contains(media);
        if names("text/plain") && !names("application/openmetrics-text") {
            Self::Text
        } else {
            Self::OpenMetrics
        }
    }

    /// The header `Content-Type`.
    #[must_use]
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// Writes metrics.
#[must_use]
pub(crate) fn render(families: Vec<Family>, format: Format) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(All(families)));
    let mut out = String::new();
    let written = match format {
        Format::OpenMetrics => text::encode(&mut out, &registry),
        Format::Text => prometheus_text::encode(&mut out, &registry),
    };
    written.expect("a string takes everything");
    out
}

#[derive(Debug)]
struct All(Vec<Family>);

impl Collector for All {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.iter().try_for_each(|family| {
            let (name, unit) = bare(family);
            let kind = match family.kind {
                Type::Counter => MetricType::Counter,
                Type::Gauge => MetricType::Gauge,
                Type::Info => MetricType::Info,
            };
            let mut metric = encoder.encode_descriptor(name, family.help, unit.as_ref(), kind)?;
            family.samples.0.iter().try_for_each(|sample| write(&mut metric, family, sample))
        })
    }
}

/// The name without what the writer adds: the suffix of the type and the unit.
fn bare(family: &Family) -> (&'static str, Option<Unit>) {
    let suffix = match family.kind {
        Type::Counter => "_total",
        Type::Info => "_info",
        Type::Gauge => "",
    };
    let name = family.name.strip_suffix(suffix).unwrap_or(family.name);
    [Unit::Seconds, Unit::Bytes]
        .into_iter()
        .find_map(|unit| {
            let bare = name.strip_suffix(unit.as_str())?.strip_suffix('_')?;
            Some((bare, Some(unit)))
        })
        .unwrap_or((name, None))
}

fn write(metric: &mut MetricEncoder<'_>, family: &Family, sample: &Sample) -> std::fmt::Result {
    let labels: Vec<(&str, &str)> =
        family.labels.iter().copied().zip(sample.labels.iter().map(String::as_str)).collect();
    match (family.kind, sample.value) {
        (Type::Info, _) => metric.encode_info(&labels),
        (Type::Counter, Value::Whole(value)) => {
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&value, None)
        }
        (Type::Counter, Value::Real(value)) => {
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, f64, f64>(&value, None)
        }
        (Type::Gauge, Value::Whole(value)) => metric.encode_family(&labels)?.encode_gauge(&value),
        (Type::Gauge, Value::Real(value)) => metric.encode_family(&labels)?.encode_gauge(&value),
    }
}

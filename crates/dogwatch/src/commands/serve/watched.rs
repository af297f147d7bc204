//! What others see of a server while it runs: its log, and on request its traces (OpenTelemetry, OTLP over HTTP).

use ::scan::source::{RegistryOptions, http_client};
use anyhow::Context;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::cli::portfolio::LogForm;
use crate::console::Failure;

/// Begins the log, on stderr (`RUST_LOG` says more or less), and traces where there is a collector.
pub(super) fn begin(form: LogForm, collector: Option<&str>) -> Result<Option<SdkTracerProvider>, Failure> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = match form {
        LogForm::Text => log.boxed(),
        LogForm::Json => log.json().boxed(),
    };
    let traces = collector.map(traces).transpose()?;
    let sent = traces.as_ref().map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer("dogwatch")));
    tracing_subscriber::registry().with(filter).with(log).with(sent).init();
    Ok(traces)
}

/// Sends traces in batches. Source: OpenTelemetry protocol 1.9, "OTLP/HTTP"; semantic conventions, `service.name`.
fn traces(collector: &str) -> Result<SdkTracerProvider, Failure> {
    let client = http_client(&RegistryOptions::default())
        .map_err(|error| Failure { hint: error.hint(), error: error.into() })?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", collector.trim_end_matches('/')))
        .build()
        .with_context(|| format!("traces cannot be sent to `{collector}`"))?;
    let resource = Resource::builder().with_service_name("dogwatch").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

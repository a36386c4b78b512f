//! What must come out of a scenario.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What must come out; a scenario that does not reach it has failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Share of fetches that must succeed.
    pub fetched: Option<f64>,
    /// Share of searches that must find what they are for.
    pub found: Option<f64>,
    /// Share of files of which all parts must be on a node that is there, at every look.
    pub available: Option<f64>,
    /// Share of what should be held that must be held at the end.
    pub replicas: Option<f64>,
    /// Share of publications that must succeed.
    pub published: Option<f64>,
    /// Mean size of views at the end, of what there is.
    pub view: Option<f64>,
    /// The same, at the most.
    pub view_most: Option<f64>,
    /// Share of objects linked, at the most.
    pub object_linked: Option<f64>,
    /// Share of files linked, at the most.
    pub file_linked: Option<f64>,
    /// What attacks come to, by the names of the report.
    pub measured: BTreeMap<String, Bounds>,
}

/// Where a measured figure must lie. What was not measured misses every bound.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// At least here.
    pub least: Option<f64>,
    /// At the most here.
    pub most: Option<f64>,
    /// Standard errors that it may lie outside.
    pub errors: f64,
}

//! The harness of the workspace's scenarios.

//! What is live: observations as they are kept go to the readers of the stream, to MQTT subscribers and to the watch.

use crate::{ServerError, alarm::Watch, mqtt::Taps, stream::Hub};
use std::{path::Path, sync::Arc};
use strata_store::Observations;

pub struct Live {
    pub observations: Observations,
    pub watch: Arc<Watch>,
}

impl Live {
    pub fn open(dir: &Path, hub: Arc<Hub>, taps: Arc<Taps>) -> Result<Self, ServerError> {
        let watch = Arc::new(Watch::default());
        let ear = watch.clone();
        let on_kept = Box::new(move |all: &[strata_store::Observation]| {
            hub.observations(all);
            taps.observations(all);
            ear.saw(all);
        });
        Ok(Self { observations: Observations::open(dir, on_kept)?, watch })
    }
}

//! How long each pass of a picture took on the device, where the device can say.

#[cfg(not(target_arch = "wasm32"))]
use crate::gpu::Gpu;
use std::cell::RefCell;

/// Passes of a picture at most: two stamps each.
const PASSES: u32 = 12;

/// Stamps of one picture. Switched off it costs nothing, and a browser never switches it on.
#[derive(Default)]
pub(crate) struct Clock {
    stamps: Option<Stamps>,
}

struct Stamps {
    set: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    read: wgpu::Buffer,
    #[cfg(not(target_arch = "wasm32"))]
    period_ns: f32,
    names: RefCell<Vec<&'static str>>,
}

impl Clock {
    /// A running clock; a stopped one where the device has no stamps (WebGL 2).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new(gpu: &Gpu) -> Self {
        if !gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Self::default();
        }
        let size = u64::from(PASSES) * 2 * 8;
        let buffer =
            |label, usage| gpu.device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false });
        Self {
            stamps: Some(Stamps {
                set: gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("passes"),
                    ty: wgpu::QueryType::Timestamp,
                    count: PASSES * 2,
                }),
                resolved: buffer("stamps", wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC),
                read: buffer("stamps read", wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST),
                period_ns: gpu.queue.get_timestamp_period(),
                names: RefCell::default(),
            }),
        }
    }
    pub fn begin(&self) {
        if let Some(s) = &self.stamps {
            s.names.borrow_mut().clear();
        }
    }
    /// Where the next pass writes its stamps.
    pub fn pass(&self, name: &'static str) -> Option<wgpu::RenderPassTimestampWrites<'_>> {
        let s = self.stamps.as_ref()?;
        let mut names = s.names.borrow_mut();
        let at = names.len() as u32;
        if at >= PASSES {
            return None;
        }
        names.push(name);
        Some(wgpu::RenderPassTimestampWrites {
            query_set: &s.set,
            beginning_of_pass_write_index: Some(at * 2),
            end_of_pass_write_index: Some(at * 2 + 1),
        })
    }
    pub fn end(&self, encoder: &mut wgpu::CommandEncoder) {
        let Some(s) = &self.stamps else { return };
        let stamps = s.names.borrow().len() as u32 * 2;
        if stamps > 0 {
            encoder.resolve_query_set(&s.set, 0..stamps, &s.resolved, 0);
            encoder.copy_buffer_to_buffer(&s.resolved, 0, &s.read, 0, u64::from(stamps) * 8);
        }
    }
    /// Milliseconds of each pass of the last picture; waits for it. Empty without a clock.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read(&self, device: &wgpu::Device) -> Vec<(&'static str, f64)> {
        let Some(s) = &self.stamps else { return Vec::new() };
        let names = s.names.borrow();
        s.read.slice(..).map_async(wgpu::MapMode::Read, |_| {});
        if device.poll(wgpu::PollType::wait_indefinitely()).is_err() {
            return Vec::new();
        }
        let Ok(data) = s.read.slice(..).get_mapped_range() else { return Vec::new() };
        let stamps: Vec<u64> = data.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default())).collect();
        drop(data);
        s.read.unmap();
        let ms = |i: usize| stamps[i * 2 + 1].saturating_sub(stamps[i * 2]) as f64 * f64::from(s.period_ns) / 1e6;
        names.iter().enumerate().map(|(i, n)| (*n, ms(i))).collect()
    }
}

//! The device: a graphics card where there is one, else Mesa's software adapter; and a watch over its health.

use crate::RenderError;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

#[derive(Clone)]
pub struct Gpu {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub adapter_name: String,
    /// The processor itself draws.
    pub software: bool,
    pub watch: Arc<Watch>,
    /// Distances can be drawn into a picture of numbers.
    pub measures: bool,
}

/// What the device reported on its own: nobody asks it, it calls.
#[derive(Default)]
pub struct Watch {
    lost: Mutex<Option<String>>,
    memory: AtomicBool,
    fault: Mutex<Option<String>>,
}

fn within<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Watch {
    /// Why the device is gone, when it is: everything made on it is gone as well.
    pub fn lost(&self) -> Option<String> {
        within(&self.lost).clone()
    }
    /// True once after memory ran out.
    pub fn out_of_memory(&self) -> bool {
        self.memory.swap(false, Ordering::Relaxed)
    }
    /// The last complaint that nobody was waiting for, once.
    pub fn fault(&self) -> Option<String> {
        within(&self.fault).take()
    }
    fn report(&self, error: &wgpu::Error) {
        match error {
            wgpu::Error::OutOfMemory { .. } => self.memory.store(true, Ordering::Relaxed),
            other => *within(&self.fault) = Some(other.to_string()),
        }
    }
}

impl Gpu {
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn open() -> Result<Self, RenderError> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        Self::on(&instance, None).await.map(|(gpu, _)| gpu)
    }
    /// The best adapter of an instance, for a surface when there is one. The limits asked for are those of WebGL 2, so that
    /// what runs here runs there.
    pub async fn on(instance: &wgpu::Instance, surface: Option<&wgpu::Surface<'_>>) -> Result<(Self, wgpu::Adapter), RenderError> {
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions {
                power_preference: wgpu::PowerPreference::HighPerformance,
                compatible_surface: surface,
                ..Default::default()
            })
            .await
            .map_err(|e| RenderError::NoAdapter(e.to_string()))?;
        let limits = wgpu::Limits::downlevel_webgl2_defaults().using_resolution(adapter.limits());
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("strata"),
                required_features: adapter.features() & wgpu::Features::TIMESTAMP_QUERY,
                required_limits: wgpu::Limits { max_buffer_size: adapter.limits().max_buffer_size, ..limits },
                ..Default::default()
            })
            .await
            .map_err(|e| RenderError::NoDevice(e.to_string()))?;
        let watch = Arc::new(Watch::default());
        let (on_loss, on_fault) = (watch.clone(), watch.clone());
        device.set_device_lost_callback(move |reason, text| {
            *within(&on_loss.lost) = Some(if text.is_empty() { format!("{reason:?}") } else { format!("{reason:?}: {text}") });
        });
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| on_fault.report(&e)));
        let info = adapter.get_info();
        let adapter_name = format!("{} ({:?}, {})", info.name, info.backend, info.driver_info);
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let measures = crate::occlusion::possible(&adapter);
        Ok((Self { device, queue, adapter_name, software, watch, measures }, adapter))
    }
}

//! The device, with no window: a graphics card where there is one, else Mesa's software adapter.

use crate::RenderError;

pub struct Gpu {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub adapter_name: String,
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
                required_limits: wgpu::Limits { max_buffer_size: adapter.limits().max_buffer_size, ..limits },
                ..Default::default()
            })
            .await
            .map_err(|e| RenderError::NoDevice(e.to_string()))?;
        let info = adapter.get_info();
        Ok((Self { device, queue, adapter_name: format!("{} ({:?}, {})", info.name, info.backend, info.driver_info) }, adapter))
    }
}

//! A window, its surface and its renderer, and how they come back when something breaks.

use crate::{Look, Quality, RenderError, Renderer, TileHandle, gpu::Gpu};
use std::sync::Arc;
use strata_scene::View;
use winit::window::Window;

pub struct Screen {
    pub window: Arc<Window>,
    instance: wgpu::Instance,
    /// `None` only while it is made anew.
    surface: Option<wgpu::Surface<'static>>,
    config: wgpu::SurfaceConfiguration,
    pub renderer: Renderer,
    quality: Quality,
    /// The window's own size; a minimised one has none.
    inner: [u32; 2],
}

pub enum Drawn {
    Yes,
    /// There is nothing to draw on.
    Nothing,
    /// The surface was not ready; the next frame may be.
    Again,
}

fn surface(instance: &wgpu::Instance, window: &Arc<Window>) -> Result<wgpu::Surface<'static>, RenderError> {
    instance.create_surface(window.clone()).map_err(|e| RenderError::NoWindow(e.to_string()))
}

fn open(
    instance: &wgpu::Instance,
    surface: &wgpu::Surface<'static>,
    size: [u32; 2],
    quality: Quality,
) -> Result<(Renderer, wgpu::SurfaceConfiguration), RenderError> {
    let (gpu, adapter) = pollster::block_on(Gpu::on(instance, Some(surface)))?;
    let most = gpu.device.limits().max_texture_dimension_2d;
    let size = size.map(|v| v.clamp(1, most));
    let mut config = surface
        .get_default_config(&adapter, size[0], size[1])
        .ok_or_else(|| RenderError::NoWindow("this adapter cannot draw on the window".into()))?;
    // One frame ahead at most: a hand's movement is answered by the next picture.
    config.desired_maximum_frame_latency = 1;
    surface.configure(&gpu.device, &config);
    Ok((Renderer::on(gpu, size, quality)?, config))
}

impl Screen {
    pub fn open(window: Arc<Window>, quality: Quality) -> Result<Self, RenderError> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let inner: [u32; 2] = window.inner_size().into();
        let surface = surface(&instance, &window)?;
        let (renderer, config) = open(&instance, &surface, inner, quality)?;
        Ok(Self { window, instance, surface: Some(surface), config, renderer, quality, inner })
    }
    pub fn size(&self) -> [u32; 2] {
        self.renderer.size()
    }
    pub fn resize(&mut self, size: [u32; 2]) {
        self.inner = size;
        let most = self.renderer.device().limits().max_texture_dimension_2d;
        let size = size.map(|v| v.min(most));
        if size.contains(&0) || size == self.renderer.size() || self.renderer.resize(size).is_err() {
            return;
        }
        [self.config.width, self.config.height] = size;
        if let Some(surface) = &self.surface {
            surface.configure(self.renderer.device(), &self.config);
        }
    }
    /// Opens a lost device anew; says so when it did. The caller's tiles are gone with it.
    pub fn recover(&mut self) -> Result<Option<String>, RenderError> {
        // The device tells of its loss only when it is polled.
        let _ = self.renderer.device().poll(wgpu::PollType::Poll);
        let Some(reason) = self.renderer.watch().lost() else {
            if let Some(fault) = self.renderer.watch().fault() {
                eprintln!("strata: the graphics device complains: {fault}");
            }
            return Ok(None);
        };
        self.again()?;
        Ok(Some(format!("the graphics device was lost ({reason}); it is open again and the tiles are fetched anew")))
    }
    /// Device, surface and renderer from the start. The old surface goes first: a window bears one.
    fn again(&mut self) -> Result<(), RenderError> {
        self.surface = None;
        let surface = surface(&self.instance, &self.window)?;
        (self.renderer, self.config) = open(&self.instance, &surface, self.inner, self.quality)?;
        self.surface = Some(surface);
        Ok(())
    }
    /// A step down in quality, on the same device; the lowest stays.
    pub fn lower(&mut self) -> Result<(), RenderError> {
        self.quality = match self.quality {
            Quality::High => Quality::Medium,
            Quality::Medium | Quality::Low => Quality::Low,
        };
        self.renderer.set_quality(self.quality)
    }
    pub fn draw(&mut self, view: &View, look: &Look, tiles: &[(TileHandle, f32)]) -> Drawn {
        if self.inner.contains(&0) {
            return Drawn::Nothing;
        }
        self.renderer.draw_faded(view, look, tiles);
        let Some(surface) = &self.surface else { return Drawn::Again };
        match surface.get_current_texture() {
            wgpu::CurrentSurfaceTexture::Success(frame) | wgpu::CurrentSurfaceTexture::Suboptimal(frame) => {
                let target = frame.texture.create_view(&Default::default());
                self.renderer.blit(&target, self.config.format);
                self.window.pre_present_notify();
                self.renderer.queue().present(frame);
                Drawn::Yes
            }
            wgpu::CurrentSurfaceTexture::Outdated => {
                surface.configure(self.renderer.device(), &self.config);
                Drawn::Again
            }
            wgpu::CurrentSurfaceTexture::Lost => {
                // The device may live on without it; where it does not, the watch tells in the next frame.
                self.surface = None;
                if let Ok(next) = self::surface(&self.instance, &self.window) {
                    next.configure(self.renderer.device(), &self.config);
                    self.surface = Some(next);
                }
                Drawn::Again
            }
            wgpu::CurrentSurfaceTexture::Occluded => Drawn::Nothing,
            _ => Drawn::Again,
        }
    }
}

//! One picture: what shows, what casts, and the passes that draw it.

use crate::{
    FrameStats, Look, Renderer, TileHandle,
    features::WIDTH,
    occlusion::Occlusion,
    pipelines::Pipelines,
    pit::{ceiling, pit},
    shadow::{Cascade, Shadows},
    tile::{Mesh, Tile, under},
    uniforms::{Draw, FRAME_STRIDE, Frame, STRIDE, frame},
};
use glam::{DMat4, DVec3, DVec4, Mat4};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use strata_scene::{Mode, View};
use strata_tiles::content::{Primitive, Role, TileContent};

impl Renderer {
    /// Draws these tiles. The same tiles, view and look give the same picture on the same adapter.
    pub fn draw(&mut self, view: &View, look: &Look, tiles: &[TileHandle]) -> FrameStats {
        let whole: Vec<(TileHandle, f32)> = tiles.iter().map(|h| (*h, 1.0)).collect();
        self.draw_faded(view, look, &whole)
    }
    /// The same with the fade of each tile, as [`strata_scene::Drawn`] has it.
    pub fn draw_faded(&mut self, view: &View, look: &Look, tiles: &[(TileHandle, f32)]) -> FrameStats {
        let pit = match look.mode {
            Mode::Cutaway => Some(self.stage_at(view, pit(look.cut_m))),
            Mode::Below => Some(self.stage_at(view, ceiling(look.grid.unwrap_or_default()))),
            Mode::Surface | Mode::Xray => None,
        };
        // Under the ground there is no sky that could be hidden.
        let shading = self.shading && self.gpu.measures && look.mode != Mode::Below;
        let measuring = shading || (self.gpu.measures && look.mode == Mode::Xray);
        self.ready_targets();
        let size = self.drawn().size;
        // The same eye in fewer pixels.
        let view = &View { viewport_px: size, ..*view };
        self.ready_occlusion(measuring, shading);
        let written_over = self.ready_overlays(view, look, tiles);
        let device = &self.gpu.device;
        // Which tiles cast, as a number that their order does not change.
        let casting = tiles.iter().filter(|(_, fade)| *fade >= 0.0).fold(0u64, |sum, (handle, _)| {
            let mut hasher = DefaultHasher::new();
            handle.hash(&mut hasher);
            sum.wrapping_add(hasher.finish())
        });
        let (cascades, anew): (Vec<Cascade>, Vec<bool>) = self.shadows.fall(view, look, casting, self.motion.is_some()).into_iter().unzip();
        let mut main = frame(view, look, &cascades);
        main.eye[3] = f32::from(u8::from(shading));
        let mut frames = vec![0u8; (FRAME_STRIDE * 5) as usize];
        let mut put = |slot: u64, f: &Frame| {
            let at = (slot * FRAME_STRIDE) as usize;
            frames[at..at + size_of::<Frame>()].copy_from_slice(bytemuck::bytes_of(f));
        };
        put(0, &main);
        for (i, c) in cascades.iter().enumerate() {
            put(i as u64 + 1, &Frame { clip: c.clip_from_enu.to_cols_array_2d(), ..main });
        }
        // From under the ground its surface is a lid; what lies beneath is what one has come for.
        let lid = |m: &Mesh| look.mode == Mode::Below && !under(m.role) && m.role != Role::Other;
        let list: Vec<(&Tile, &Mesh, f32)> = tiles
            .iter()
            .copied()
            .chain(pit.map(|h| (h, 1.0)))
            .filter_map(|(h, fade)| Some((self.tiles.get(&h)?, fade)))
            .flat_map(|(t, fade)| t.meshes.iter().map(move |m| (t, m, fade)))
            .filter(|(_, m, _)| !lid(m) && (look.drape || m.role != Role::Border))
            .collect();
        let mut draws = vec![0u8; (STRIDE as usize) * list.len().max(1)];
        // Around each mesh, eye as origin.
        let mut spheres = Vec::with_capacity(list.len());
        for (i, (tile, mesh, fade)) in list.iter().enumerate() {
            let d = draw_of(view, look, tile, mesh.role, i as u32, *fade);
            spheres.push(mesh.sphere.moved(&Mat4::from_cols_array_2d(&d.enu_from_tile)));
            draws[i * STRIDE as usize..i * STRIDE as usize + size_of::<Draw>()].copy_from_slice(bytemuck::bytes_of(&d));
        }
        let written = self.uniforms.write(&self.gpu, &self.pipelines, &frames, &draws);
        let (frame_group, draw_group) = (&self.uniforms.frame_group, &self.uniforms.draw_group);
        let mut stats = FrameStats { gpu_bytes: self.gpu_bytes(), uniforms_written: written + written_over, ..Default::default() };
        let mut encoder = device.create_command_encoder(&Default::default());
        self.clock.begin();
        let pit_number = pit.map(|_| list.len().saturating_sub(1));
        // What shows, in the order of roles: few changes of pipeline. The near before the far, which it hides, and upright
        // bodies before the ground, so that little is dressed that is then covered.
        // A trunk of a third of a pixel is no picture of a trunk.
        let seen = |k: usize| {
            let s = &spheres[k];
            let nearest = f64::from((s.centre.length() - s.radius).max(0.0));
            s.in_view(view) && (list[k].1.role != Role::TreeTrunk || view.metres_per_px(nearest) < 0.9)
        };
        let mut order: Vec<usize> = (0..list.len()).filter(|&k| Some(k) == pit_number || seen(k)).collect();
        let turn = |role: Role| match role {
            Role::Wall => 0,
            Role::Roof | Role::Massing => 1,
            Role::Terrain => 99,
            other => 2 + other as u8,
        };
        let near = |k: usize| (spheres[k].centre.length() - spheres[k].radius).max(0.0);
        order.sort_by(|&a, &b| turn(list[a].1.role).cmp(&turn(list[b].1.role)).then(near(a).total_cmp(&near(b))));
        let (beneath, above): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|&k| look.mode == Mode::Xray && under(list[k].1.role));
        if anew.contains(&true) {
            let whole = anew.iter().all(|n| *n);
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("shadow"),
                color_attachments: &[],
                depth_stencil_attachment: Some(if whole { attachment(&self.shadows.map, 1.0) } else { kept(&self.shadows.map) }),
                timestamp_writes: self.clock.pass("shadow"),
                ..Default::default()
            });
            let half = (self.shadows.side / 2) as f32;
            for (i, cascade) in cascades.iter().enumerate().filter(|(i, _)| anew[*i]) {
                pass.set_viewport((i % 2) as f32 * half, (i / 2) as f32 * half, half, half, 0.0, 1.0);
                if !whole {
                    pass.set_pipeline(&self.pipelines.wipe);
                    pass.draw(0..3, 0..1);
                }
                pass.set_pipeline(&self.pipelines.shadow);
                pass.set_bind_group(0, frame_group, &[((i as u64 + 1) * FRAME_STRIDE) as u32]);
                // What leaves casts no shadow any more: its successor does.
                let cast = |k: usize, m: &Mesh, fade: f32| casts(m.role) && fade >= 0.0 && !(pit.is_some() && k + 1 == list.len());
                // A trunk's shadow is thinner than a texel of the far cascades, a crown's no wider than two.
                let fine = |m: &Mesh| match m.role {
                    Role::TreeTrunk => cascade.texel_m < 0.5,
                    Role::TreeCrown => cascade.texel_m < CROWN_TEXEL_M,
                    _ => true,
                };
                let falls = |k: &usize| {
                    let (_, m, fade) = &list[*k];
                    cast(*k, m, *fade) && fine(m) && spheres[*k].in_cascade(cascade)
                };
                for run in runs(&list, (0..list.len()).filter(falls)) {
                    submit_run(&mut pass, &list, run, draw_group, &mut stats);
                }
            }
        }
        let occlusion = self.occlusion.as_ref().filter(|_| measuring);
        if let Some(o) = occlusion {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("metres"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &o.metres,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT), store: wgpu::StoreOp::Store },
                })],
                depth_stencil_attachment: Some(attachment(&o.depth, 0.0)),
                timestamp_writes: self.clock.pass("metres"),
                ..Default::default()
            });
            pass.set_pipeline(&self.pipelines.metres);
            pass.set_bind_group(0, frame_group, &[0]);
            // Bare crowns hide little, and what is only painted on the ground lies where the ground does.
            let painted = |role: Role| matches!(role, Role::Parcel | Role::Border | Role::Line);
            let matter = |role: Role| !under(role) && !painted(role) && (role != Role::TreeCrown || look.leaves > 0.5);
            let mut measured: Vec<usize> = above.iter().copied().filter(|&k| matter(list[k].1.role) && Some(k) != pit_number).collect();
            measured.sort_unstable();
            for run in runs(&list, measured.into_iter()) {
                submit_run(&mut pass, &list, run, draw_group, &mut stats);
            }
        }
        let shade = occlusion.and_then(|o| o.shade.as_ref()).filter(|_| shading);
        let targets = self.drawn();
        let finished = targets.colour.create_view(&Default::default());
        let view_of = shade.map_or(&finished, |s| &s.unshaded);
        {
            let (target, resolve) = targets.with_samples(view_of);
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("matter"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: target,
                    depth_slice: None,
                    resolve_target: resolve,
                    ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store },
                })],
                depth_stencil_attachment: Some(attachment(&targets.depth, 0.0)),
                timestamp_writes: self.clock.pass("matter"),
                ..Default::default()
            });
            pass.set_bind_group(0, frame_group, &[0]);
            pass.set_bind_group(3, &self.shadow_group, &[]);
            for k in above {
                let (tile, mesh, _) = list[k];
                let stage = if look.mode == Mode::Below { &self.pipelines.ceiling } else { &self.pipelines.earth };
                pass.set_pipeline(if Some(k) == pit_number { stage } else { self.pipelines.matter(mesh.role) });
                submit(&mut pass, tile, mesh, draw_group, k, &mut stats);
            }
            if let Some((tile, ..)) = list.first() {
                pass.set_pipeline(&self.pipelines.sky);
                pass.set_bind_group(1, draw_group, &[0]);
                pass.set_bind_group(2, &tile.features, &[]);
                pass.draw(0..3, 0..1);
            }
        }
        if !beneath.is_empty() {
            // X-ray: what lies beneath over what lies above, with a depth of its own.
            let (target, resolve) = targets.with_samples(view_of);
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("beneath"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: target,
                    depth_slice: None,
                    resolve_target: resolve,
                    ops: wgpu::Operations { load: wgpu::LoadOp::Load, store: wgpu::StoreOp::Store },
                })],
                depth_stencil_attachment: Some(attachment(&targets.depth, 0.0)),
                timestamp_writes: self.clock.pass("beneath"),
                ..Default::default()
            });
            pass.set_bind_group(0, frame_group, &[0]);
            pass.set_bind_group(3, &self.shadow_group, &[]);
            for k in beneath {
                let (tile, mesh, _) = list[k];
                pass.set_pipeline(self.pipelines.matter(mesh.role));
                submit(&mut pass, tile, mesh, draw_group, k, &mut stats);
            }
        }
        // Before the shading: what they cover is data and refuses it by its alpha.
        if self.overlays.any() {
            let (target, resolve) = targets.with_samples(view_of);
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("overlays"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: target,
                    depth_slice: None,
                    resolve_target: resolve,
                    ops: wgpu::Operations { load: wgpu::LoadOp::Load, store: wgpu::StoreOp::Store },
                })],
                depth_stencil_attachment: Some(kept(&targets.depth)),
                ..Default::default()
            });
            stats.draws += self.overlays.draw(&mut pass, frame_group, look.mode == Mode::Below);
        }
        if let Some(shade) = shade {
            shade.draw(&mut encoder, &self.pipelines, frame_group, &finished, &self.clock);
        }
        self.clock.end(&mut encoder);
        self.gpu.queue.submit([encoder.finish()]);
        stats
    }

    /// The pictures that depth and occlusion are drawn into, of the picture's size, and bound where x-ray reads them.
    fn ready_occlusion(&mut self, measuring: bool, shading: bool) {
        let size = self.drawn().size;
        if !measuring || self.occlusion.as_ref().is_some_and(|o| o.fits(size, shading)) {
            return;
        }
        let o = Occlusion::new(&self.gpu.device, &self.pipelines, size, shading || self.shading);
        self.shadow_group = light_group(&self.gpu.device, &self.pipelines, &self.shadows, &o.metres);
        self.occlusion = Some(o);
    }

    /// What stands only in this picture, the excavation or the grid overhead, as a tile of its own.
    fn stage_at(&mut self, view: &View, primitive: Primitive) -> TileHandle {
        let content = TileContent { ecef_from_tile: view.enu.matrix_ecef_from_local(), primitives: vec![primitive], ..Default::default() };
        if let Some((old, handle)) = self.stage.take() {
            if old == content {
                self.stage = Some((old, handle));
                return handle;
            }
            self.release(handle);
        }
        let handle = self.upload(&content);
        self.stage = Some((content, handle));
        handle
    }
}

/// Shadows, and the depth that x-ray looks through.
pub(crate) fn light_group(device: &wgpu::Device, pipelines: &Pipelines, shadows: &Shadows, metres: &wgpu::TextureView) -> wgpu::BindGroup {
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("light"),
        layout: &pipelines.shadow_layout,
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(&shadows.map) },
            wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::Sampler(&shadows.sampler) },
            wgpu::BindGroupEntry { binding: 2, resource: wgpu::BindingResource::TextureView(metres) },
        ],
    })
}

fn attachment(view: &wgpu::TextureView, clear: f32) -> wgpu::RenderPassDepthStencilAttachment<'_> {
    wgpu::RenderPassDepthStencilAttachment {
        view,
        depth_ops: Some(wgpu::Operations { load: wgpu::LoadOp::Clear(clear), store: wgpu::StoreOp::Store }),
        stencil_ops: None,
    }
}

/// The same with what it holds.
fn kept(view: &wgpu::TextureView) -> wgpu::RenderPassDepthStencilAttachment<'_> {
    wgpu::RenderPassDepthStencilAttachment {
        depth_ops: Some(wgpu::Operations { load: wgpu::LoadOp::Load, store: wgpu::StoreOp::Store }),
        ..attachment(view, 0.0)
    }
}

/// Coarser shadows have none of the crowns.
const CROWN_TEXEL_M: f32 = 2.5;

fn casts(role: Role) -> bool {
    matches!(role, Role::Wall | Role::Roof | Role::Massing | Role::TreeCrown | Role::TreeTrunk | Role::Other)
}

/// Numbers of the list, ascending, with neighbours that lie side by side in the same buffers taken together: the first number
/// and how many indices.
fn runs(list: &[(&Tile, &Mesh, f32)], numbers: impl Iterator<Item = usize>) -> Vec<(usize, u32)> {
    let mut out: Vec<(usize, u32)> = Vec::new();
    for k in numbers {
        let mesh = list[k].1;
        match out.last_mut() {
            Some((first, count)) if list[*first].1.indices == mesh.indices && list[*first].1.first_index + *count == mesh.first_index => {
                *count += mesh.index_count;
            }
            _ => out.push((k, mesh.index_count)),
        }
    }
    out
}

fn submit_run(
    pass: &mut wgpu::RenderPass<'_>,
    list: &[(&Tile, &Mesh, f32)],
    (k, index_count): (usize, u32),
    draws: &wgpu::BindGroup,
    stats: &mut FrameStats,
) {
    submit_indices(pass, list[k].0, list[k].1, index_count, draws, k, stats);
}

fn submit(pass: &mut wgpu::RenderPass<'_>, tile: &Tile, mesh: &Mesh, draws: &wgpu::BindGroup, k: usize, stats: &mut FrameStats) {
    submit_indices(pass, tile, mesh, mesh.index_count, draws, k, stats);
}

fn submit_indices(
    pass: &mut wgpu::RenderPass<'_>,
    tile: &Tile,
    mesh: &Mesh,
    index_count: u32,
    draws: &wgpu::BindGroup,
    k: usize,
    stats: &mut FrameStats,
) {
    pass.set_bind_group(1, draws, &[(k as u64 * STRIDE) as u32]);
    pass.set_bind_group(2, &tile.features, &[]);
    pass.set_vertex_buffer(0, mesh.vertices.slice(..));
    pass.set_vertex_buffer(1, mesh.instances.slice(..));
    pass.set_index_buffer(mesh.indices.slice(..), wgpu::IndexFormat::Uint32);
    pass.draw_indexed(mesh.first_index..mesh.first_index + index_count, 0, 0..mesh.instance_count);
    stats.draws += 1;
    stats.triangles += u64::from(index_count / 3) * u64::from(mesh.instance_count);
}

fn draw_of(view: &View, look: &Look, tile: &Tile, role: Role, number: u32, fade: f32) -> Draw {
    // In f64 to the eye, then f32: millimetres near the eye wherever on earth it stands.
    let axes = view.enu.axes_in_ecef.map(DVec3::from);
    let turn = |v: DVec4| DVec3::new(axes[0].dot(v.truncate()), axes[1].dot(v.truncate()), axes[2].dot(v.truncate()));
    let m = &tile.ecef_from_tile;
    let origin = DVec3::from(view.enu.local_from_ecef(m.w_axis.truncate().to_array())) - view.eye_in_enu;
    let local = DMat4::from_cols(turn(m.x_axis).extend(0.0), turn(m.y_axis).extend(0.0), turn(m.z_axis).extend(0.0), origin.extend(1.0));
    let plain = |r: u8, g: u8, b: u8| {
        let linear = |c: u8| (f32::from(c) / 255.0).powf(2.2);
        [linear(r), linear(g), linear(b), 1.0]
    };
    let colour = match role {
        Role::TreeTrunk => plain(92, 76, 62),
        Role::Rail => plain(118, 110, 104),
        Role::Line => plain(190, 60, 60),
        Role::Well => plain(150, 146, 140),
        _ => plain(128, 124, 118),
    };
    // What lies on the ground is drawn a little nearer than it is, the lines above the areas: neighbouring levels of
    // detail of the ground differ by more than a drape's lift.
    let nearer = match role {
        Role::Parcel => 0.0010,
        Role::Border => 0.0012,
        Role::Water => 0.0013,
        Role::Road => 0.0018,
        Role::Rail | Role::Line => 0.0024,
        _ => 0.0,
    };
    Draw {
        enu_from_tile: local.as_mat4().to_cols_array_2d(),
        params: [Role::ALL.iter().position(|r| *r == role).unwrap_or(0) as f32, 1.0, fade, tile.world[2]],
        world: [tile.world[0], tile.world[1], nearer, f32::from(u8::from(look.drape))],
        colour,
        ids: [number, WIDTH, 0, 0],
    }
}

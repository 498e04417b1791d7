//! One picture: what shows, what casts, and the passes that draw it.

use crate::{
    FrameStats, Look, Renderer, TileHandle,
    cull::Sphere,
    features::WIDTH,
    grain::Grain,
    occlusion::Occlusion,
    pipelines::{Pipelines, Spared},
    pit::{ceiling, pit},
    section::{Soil, soil},
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
            Mode::Surface => self.soil_of(look, tiles),
            Mode::Xray => None,
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
        let mut stats = FrameStats { gpu_bytes: self.gpu_bytes(), uniforms_written: written + written_over, ..Default::default() };
        let opened = look.mode == Mode::Cutaway;
        let listed = Listed { stage: pit.map(|_| list.len().saturating_sub(1)), list, spheres, opened };
        let (beneath, above) = listed.seen(view, look);
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        self.clock.begin();
        self.shadow_pass(&mut encoder, &listed, &cascades, &anew, &mut stats);
        let occlusion = self.occlusion.as_ref().filter(|_| measuring);
        if let Some(o) = occlusion {
            self.metres_pass(&mut encoder, o, &listed, &above, look, &mut stats);
        }
        let shade = occlusion.and_then(|o| o.shade.as_ref()).filter(|_| shading);
        let spared = Spared {
            daylit: look.light().night <= 0.0,
            snowless: look.snow <= 0.0,
            unmapped: !look.contours && !look.drape,
            ..Default::default()
        };
        let finished = self.drawn().colour.create_view(&Default::default());
        let picture = shade.map_or(&finished, |s| &s.unshaded);
        {
            let mut pass = self.picture_pass(&mut encoder, "matter", picture, true, true);
            pass.set_bind_group(3, &self.shadow_group, &[]);
            let stage = if look.mode == Mode::Below { &self.pipelines.ceiling } else { &self.pipelines.earth };
            for k in above {
                if Some(k) == listed.stage {
                    pass.set_pipeline(stage);
                } else {
                    pass.set_pipeline(&self.pipelines.matter(listed.list[k].1.role, listed.spared(k, look, spared)));
                }
                listed.submit(&mut pass, k, &self.uniforms.draw_group, &mut stats);
            }
            if let Some((tile, ..)) = listed.list.first() {
                pass.set_pipeline(&self.pipelines.sky);
                pass.set_bind_group(1, &self.uniforms.draw_group, &[0]);
                pass.set_bind_group(2, &tile.features, &[]);
                pass.draw(0..3, 0..1);
            }
        }
        if !beneath.is_empty() {
            // X-ray: what lies beneath over what lies above, with a depth of its own.
            let mut pass = self.picture_pass(&mut encoder, "beneath", picture, false, true);
            pass.set_bind_group(3, &self.shadow_group, &[]);
            for k in beneath {
                pass.set_pipeline(&self.pipelines.matter(listed.list[k].1.role, listed.spared(k, look, spared)));
                listed.submit(&mut pass, k, &self.uniforms.draw_group, &mut stats);
            }
        }
        // Before the shading: what they cover is data and refuses it by its alpha.
        if self.overlays.any() {
            let mut pass = self.picture_pass(&mut encoder, "overlays", picture, false, false);
            stats.draws += self.overlays.draw(&mut pass, &self.uniforms.frame_group, look.mode == Mode::Below);
        }
        if let Some(shade) = shade {
            shade.draw(&mut encoder, &self.pipelines, &self.uniforms.frame_group, &finished, &self.clock);
        }
        self.clock.end(&mut encoder);
        let submitted = self.gpu.queue.submit([encoder.finish()]);
        self.submitted = [self.submitted[1].take(), Some(submitted)];
        stats
    }

    /// A pass into the picture, over what it holds or over black, with a depth that begins anew or goes on.
    fn picture_pass<'e>(
        &self,
        encoder: &'e mut wgpu::CommandEncoder,
        label: &'static str,
        picture: &wgpu::TextureView,
        clear: bool,
        depth_anew: bool,
    ) -> wgpu::RenderPass<'e> {
        let targets = self.drawn();
        let (view, resolve_target) = targets.with_samples(picture);
        let load = if clear { wgpu::LoadOp::Clear(wgpu::Color::BLACK) } else { wgpu::LoadOp::Load };
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some(label),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view,
                depth_slice: None,
                resolve_target,
                ops: wgpu::Operations { load, store: wgpu::StoreOp::Store },
            })],
            depth_stencil_attachment: Some(if depth_anew { attachment(&targets.depth, 0.0) } else { kept(&targets.depth) }),
            timestamp_writes: self.clock.pass(label),
            ..Default::default()
        });
        pass.set_bind_group(0, &self.uniforms.frame_group, &[0]);
        pass
    }

    /// The cascades that are to be drawn anew, each in its quarter of the map.
    fn shadow_pass(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        listed: &Listed<'_>,
        cascades: &[Cascade],
        anew: &[bool],
        stats: &mut FrameStats,
    ) {
        if !anew.contains(&true) {
            return;
        }
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
            pass.set_bind_group(0, &self.uniforms.frame_group, &[((i as u64 + 1) * FRAME_STRIDE) as u32]);
            // A trunk's shadow is thinner than a texel of the far cascades, a crown's no wider than two.
            let fine = |m: &Mesh| match m.role {
                Role::TreeTrunk => cascade.texel_m < 0.5,
                Role::TreeCrown => cascade.texel_m < CROWN_TEXEL_M,
                _ => true,
            };
            // What leaves casts no shadow any more: its successor does.
            let falls = |k: &usize| {
                let (_, m, fade) = &listed.list[*k];
                casts(m.role) && *fade >= 0.0 && Some(*k) != listed.stage && fine(m) && listed.spheres[*k].in_cascade(cascade)
            };
            // What the cut-away opens shows its far sides to the sun.
            let one_sided = |k: &usize| listed.list[*k].1.one_sided && !listed.opened;
            for closed in [false, true] {
                pass.set_pipeline(&self.pipelines.shadow[usize::from(closed)]);
                let casting = (0..listed.list.len()).filter(falls).filter(|k| one_sided(k) == closed);
                listed.submit_runs(&mut pass, casting, &self.uniforms.draw_group, stats);
            }
        }
    }

    /// How far everything is, for the occlusion and for x-ray.
    fn metres_pass(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        occlusion: &Occlusion,
        listed: &Listed<'_>,
        above: &[usize],
        look: &Look,
        stats: &mut FrameStats,
    ) {
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("metres"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &occlusion.metres,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT), store: wgpu::StoreOp::Store },
            })],
            depth_stencil_attachment: Some(attachment(&occlusion.depth, 0.0)),
            timestamp_writes: self.clock.pass("metres"),
            ..Default::default()
        });
        pass.set_bind_group(0, &self.uniforms.frame_group, &[0]);
        // Bare crowns hide little, and what is only painted on the ground lies where the ground does.
        let painted = |role: Role| matches!(role, Role::Parcel | Role::Border | Role::Line);
        let matter = |role: Role| !under(role) && !painted(role) && (role != Role::TreeCrown || look.leaves > 0.5);
        let mut measured: Vec<usize> =
            above.iter().copied().filter(|&k| matter(listed.list[k].1.role) && Some(k) != listed.stage).collect();
        measured.sort_unstable();
        pass.set_pipeline(self.pipelines.metres(measured.iter().all(|k| listed.whole(*k, look))));
        listed.submit_runs(&mut pass, measured.into_iter(), &self.uniforms.draw_group, stats);
    }

    /// The pictures that depth and occlusion are drawn into, of the picture's size, and bound where x-ray reads them.
    fn ready_occlusion(&mut self, measuring: bool, shading: bool) {
        let size = self.drawn().size;
        if !measuring || self.occlusion.as_ref().is_some_and(|o| o.fits(size, shading)) {
            return;
        }
        let o = Occlusion::new(&self.gpu.device, &self.pipelines, size, shading || self.shading);
        self.shadow_group = light_group(&self.gpu.device, &self.pipelines, &self.shadows, &self.grain, &o.metres);
        self.occlusion = Some(o);
    }

    /// What stands only in this picture, the excavation or the grid overhead, as a tile of its own.
    fn stage_at(&mut self, view: &View, primitive: Primitive) -> TileHandle {
        self.staged(TileContent { ecef_from_tile: view.enu.matrix_ecef_from_local(), primitives: vec![primitive], ..Default::default() })
    }
    /// The earth that a section opens under these tiles; found anew where the section or the ground is another.
    fn soil_of(&mut self, look: &Look, tiles: &[(TileHandle, f32)]) -> Option<TileHandle> {
        let section = look.section.as_ref()?;
        // What leaves is replaced already.
        let of: Vec<TileHandle> = tiles.iter().filter(|(_, fade)| *fade >= 0.0).map(|(h, _)| *h).collect();
        if !self.soil.as_ref().is_some_and(|s| s.section == *section && s.day == look.day && s.of == of) {
            let meshes = of.iter().filter_map(|h| self.mesh_of(*h).map(|(frame, mesh)| (*h, frame, mesh)));
            let found = soil(section, look.day, meshes);
            self.soil = Some(Soil { of, ..found });
        }
        let content = self.soil.as_ref().map(|s| &s.content).filter(|c| c.primitives.iter().any(|p| !p.indices.is_empty()))?;
        match &self.stage {
            Some((old, handle)) if old == content => Some(*handle),
            _ => {
                let content = content.clone();
                Some(self.staged(content))
            }
        }
    }
    fn staged(&mut self, content: TileContent) -> TileHandle {
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

/// Shadows, the depth that x-ray looks through, and the grain of matter.
pub(crate) fn light_group(
    device: &wgpu::Device,
    pipelines: &Pipelines,
    shadows: &Shadows,
    grain: &Grain,
    metres: &wgpu::TextureView,
) -> wgpu::BindGroup {
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("light"),
        layout: &pipelines.shadow_layout,
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(&shadows.map) },
            wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::Sampler(&shadows.sampler) },
            wgpu::BindGroupEntry { binding: 2, resource: wgpu::BindingResource::TextureView(metres) },
            wgpu::BindGroupEntry { binding: 3, resource: wgpu::BindingResource::TextureView(&grain.picture) },
            wgpu::BindGroupEntry { binding: 4, resource: wgpu::BindingResource::Sampler(&grain.sampler) },
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

/// The meshes of a picture, each with its tile and the tile's fade, and the sphere around each, the eye as origin.
struct Listed<'t> {
    list: Vec<(&'t Tile, &'t Mesh, f32)>,
    spheres: Vec<Sphere>,
    /// The number of the excavation or the grid overhead.
    stage: Option<usize>,
    /// A cut-away opens bodies.
    opened: bool,
}

impl Listed<'_> {
    /// What shows: in x-ray what lies beneath apart from what lies above. In the order of roles, for few changes of pipeline;
    /// the near before the far, which it hides, and upright bodies before the ground, so that little is dressed that is then
    /// covered.
    fn seen(&self, view: &View, look: &Look) -> (Vec<usize>, Vec<usize>) {
        let near = |k: usize| (self.spheres[k].centre.length() - self.spheres[k].radius).max(0.0);
        // A trunk of a third of a pixel is no picture of a trunk.
        let shows = |k: usize| {
            self.spheres[k].in_view(view) && (self.list[k].1.role != Role::TreeTrunk || view.metres_per_px(f64::from(near(k))) < 0.9)
        };
        let turn = |role: Role| match role {
            Role::Wall => 0,
            Role::Roof | Role::Massing => 1,
            Role::Terrain => 99,
            other => 2 + other as u8,
        };
        let mut order: Vec<usize> = (0..self.list.len()).filter(|&k| Some(k) == self.stage || shows(k)).collect();
        order.sort_by(|&a, &b| turn(self.list[a].1.role).cmp(&turn(self.list[b].1.role)).then(near(a).total_cmp(&near(b))));
        order.into_iter().partition(|&k| look.mode == Mode::Xray && under(self.list[k].1.role))
    }
    /// Every pixel of it shows that nothing hides.
    fn whole(&self, k: usize, look: &Look) -> bool {
        let (_, mesh, fade) = &self.list[k];
        let cut = look.mode == Mode::Cutaway || look.section.is_some() || look.compare.is_some();
        // Bare crowns are twigs with air between.
        let bare = mesh.role == Role::TreeCrown && look.leaves <= 0.5;
        *fade >= 1.0 && !cut && !bare
    }
    /// `by_look`: what nothing in this picture needs.
    fn spared(&self, k: usize, look: &Look, by_look: Spared) -> Spared {
        let whole = self.whole(k, look);
        let plain = whole && look.mode == Mode::Surface && !self.list[k].0.marked;
        Spared { whole, plain, one_sided: whole && self.list[k].1.one_sided, ..by_look }
    }
    fn submit(&self, pass: &mut wgpu::RenderPass<'_>, k: usize, draws: &wgpu::BindGroup, stats: &mut FrameStats) {
        self.submit_run(pass, k, self.list[k].1.index_count, draws, stats);
    }
    /// Neighbours that lie side by side in the same buffers go as one draw. `numbers` ascend.
    fn submit_runs(
        &self,
        pass: &mut wgpu::RenderPass<'_>,
        numbers: impl Iterator<Item = usize>,
        draws: &wgpu::BindGroup,
        stats: &mut FrameStats,
    ) {
        let mut run: Option<(usize, u32)> = None;
        for k in numbers {
            let mesh = self.list[k].1;
            match &mut run {
                Some((first, count))
                    if self.list[*first].1.indices == mesh.indices && self.list[*first].1.first_index + *count == mesh.first_index =>
                {
                    *count += mesh.index_count;
                }
                _ => {
                    if let Some((first, count)) = run.replace((k, mesh.index_count)) {
                        self.submit_run(pass, first, count, draws, stats);
                    }
                }
            }
        }
        if let Some((first, count)) = run {
            self.submit_run(pass, first, count, draws, stats);
        }
    }
    fn submit_run(&self, pass: &mut wgpu::RenderPass<'_>, k: usize, index_count: u32, draws: &wgpu::BindGroup, stats: &mut FrameStats) {
        let (tile, mesh, _) = self.list[k];
        pass.set_bind_group(1, draws, &[(k as u64 * STRIDE) as u32]);
        pass.set_bind_group(2, &tile.features, &[]);
        pass.set_vertex_buffer(0, mesh.vertices.slice(..));
        pass.set_vertex_buffer(1, mesh.instances.slice(..));
        pass.set_index_buffer(mesh.indices.slice(..), wgpu::IndexFormat::Uint32);
        pass.draw_indexed(mesh.first_index..mesh.first_index + index_count, 0, 0..mesh.instance_count);
        stats.draws += 1;
        stats.triangles += u64::from(index_count / 3) * u64::from(mesh.instance_count);
    }
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

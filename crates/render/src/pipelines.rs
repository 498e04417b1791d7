//! Shader module, layouts and pipelines. All shaders are one module: the files of `shaders/`, put together.

use std::{
    cell::{LazyCell, RefCell},
    collections::BTreeMap,
};
use strata_tiles::content::Role;

pub const SHADERS: &str = concat!(
    include_str!("../../../shaders/frame.wgsl"),
    include_str!("../../../shaders/vertex.wgsl"),
    include_str!("../../../shaders/facade.wgsl"),
    include_str!("../../../shaders/ground.wgsl"),
    include_str!("../../../shaders/underground.wgsl"),
    include_str!("../../../shaders/occlusion.wgsl"),
);

pub const COLOUR: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8UnormSrgb;
pub const DEPTH: wgpu::TextureFormat = wgpu::TextureFormat::Depth32Float;
/// Bytes of a vertex: position, normal, uv and uv2, row.
pub const VERTEX_BYTES: u64 = 12 + 4 + 16 + 4;
/// Bytes of an instance: translation, quaternion, scale, row.
pub const INSTANCE_BYTES: u64 = 12 + 16 + 12 + 4;

/// Compiled when a picture first wants it: a first picture is not kept waiting for the underground's.
pub type Later = LazyCell<wgpu::RenderPipeline, Box<dyn FnOnce() -> wgpu::RenderPipeline>>;

const VERTEX: [wgpu::VertexAttribute; 4] = wgpu::vertex_attr_array![0 => Float32x3, 1 => Snorm16x2, 2 => Float32x4, 3 => Uint32];
const INSTANCE: [wgpu::VertexAttribute; 4] = wgpu::vertex_attr_array![4 => Float32x3, 5 => Float32x4, 6 => Float32x3, 7 => Uint32];
const BUFFERS: [Option<wgpu::VertexBufferLayout<'_>>; 2] = [
    Some(wgpu::VertexBufferLayout { array_stride: VERTEX_BYTES, step_mode: wgpu::VertexStepMode::Vertex, attributes: &VERTEX }),
    Some(wgpu::VertexBufferLayout { array_stride: INSTANCE_BYTES, step_mode: wgpu::VertexStepMode::Instance, attributes: &INSTANCE }),
];

/// What a picture or a mesh does not have, so that its shader leaves it out; `shaders/frame.wgsl` says what each means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spared {
    pub whole: bool,
    pub plain: bool,
    pub daylit: bool,
    pub snowless: bool,
    pub unmapped: bool,
    /// Of closed bodies the far sides, which the near ones hide; no shader knows of it.
    pub one_sided: bool,
}

impl Spared {
    /// Without what this shader does not ask for, and only where it is plain: fewer are made.
    fn asked_by(self, entry: &str) -> Self {
        let data = matches!(entry, "fs_pipe" | "fs_well" | "fs_line" | "fs_border");
        Self {
            daylit: self.plain && self.daylit && !data,
            snowless: self.plain && self.snowless && matches!(entry, "fs_terrain" | "fs_parcel" | "fs_roof"),
            unmapped: self.plain && self.unmapped && matches!(entry, "fs_terrain" | "fs_parcel"),
            ..self
        }
    }
    fn constants(self) -> [(&'static str, f64); 5] {
        [("whole", self.whole), ("plain", self.plain), ("daylit", self.daylit), ("snowless", self.snowless), ("unmapped", self.unmapped)]
            .map(|(name, on)| (name, f64::from(u8::from(on))))
    }
}

type Build = Box<dyn Fn(&'static str, Spared) -> wgpu::RenderPipeline>;

pub struct Pipelines {
    pub frame_layout: wgpu::BindGroupLayout,
    pub draw_layout: wgpu::BindGroupLayout,
    pub features_layout: wgpu::BindGroupLayout,
    pub shadow_layout: wgpu::BindGroupLayout,
    /// Of what has two sides, and of closed bodies.
    pub shadow: [Later; 2],
    /// Empties a quarter of the shadows.
    pub wipe: Later,
    pub sky: Later,
    pub earth: Later,
    pub ceiling: Later,
    metres: [Later; 2],
    pub occlusion: Later,
    pub shaded: Later,
    pub depths_layout: wgpu::BindGroupLayout,
    pub shaded_layout: wgpu::BindGroupLayout,
    pub blit_layout: wgpu::BindGroupLayout,
    module: wgpu::ShaderModule,
    /// Made when a mesh first wants them, one for each shader and what it is spared.
    matter: RefCell<BTreeMap<(&'static str, Spared), wgpu::RenderPipeline>>,
    build_matter: Build,
}

fn entry(role: Role) -> &'static str {
    match role {
        Role::Terrain => "fs_terrain",
        Role::Wall => "fs_wall",
        Role::Roof => "fs_roof",
        Role::Massing => "fs_massing",
        Role::Road => "fs_road",
        Role::Water => "fs_water",
        Role::Parcel => "fs_parcel",
        Role::Pipe => "fs_pipe",
        Role::TreeCrown => "fs_tree",
        Role::Well | Role::Fitting => "fs_well",
        Role::Line => "fs_line",
        Role::Border => "fs_border",
        Role::TreeTrunk | Role::Rail | Role::Other => "fs_plain",
    }
}

#[cfg(test)]
const ENTRIES: [&str; 13] = [
    "fs_terrain",
    "fs_wall",
    "fs_roof",
    "fs_massing",
    "fs_road",
    "fs_water",
    "fs_parcel",
    "fs_pipe",
    "fs_tree",
    "fs_plain",
    "fs_well",
    "fs_line",
    "fs_border",
];

/// All that tells one pipeline from another, but what its shaders are spared.
struct Plan<'p> {
    label: &'static str,
    layout: &'p wgpu::PipelineLayout,
    vertex: &'static str,
    /// Draws tiles.
    tiled: bool,
    fragment: Option<&'static str>,
    depth_stencil: Option<wgpu::DepthStencilState>,
    format: wgpu::TextureFormat,
    samples: u32,
    one_sided: bool,
}

impl Plan<'_> {
    fn make(self, device: &wgpu::Device, module: &wgpu::ShaderModule, constants: &[(&str, f64)]) -> wgpu::RenderPipeline {
        let compiled = || wgpu::PipelineCompilationOptions { constants, ..Default::default() };
        let targets = [Some(wgpu::ColorTargetState { format: self.format, blend: None, write_mask: wgpu::ColorWrites::ALL })];
        let buffers: &[Option<wgpu::VertexBufferLayout<'_>>] = if self.tiled { &BUFFERS } else { &[] };
        device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some(self.label),
            layout: Some(self.layout),
            vertex: wgpu::VertexState { module, entry_point: Some(self.vertex), buffers, compilation_options: compiled() },
            fragment: self.fragment.map(|entry| wgpu::FragmentState {
                module,
                entry_point: Some(entry),
                targets: &targets,
                compilation_options: compiled(),
            }),
            primitive: wgpu::PrimitiveState { cull_mode: self.one_sided.then_some(wgpu::Face::Back), ..Default::default() },
            depth_stencil: self.depth_stencil,
            multisample: wgpu::MultisampleState { count: self.samples, ..Default::default() },
            multiview_mask: None,
            cache: None,
        })
    }
}

impl Pipelines {
    /// `measures`: distances can be drawn; without, the pipelines for them are made for another picture and stand idle.
    pub fn new(device: &wgpu::Device, quality: crate::Quality, measures: bool) -> Self {
        let numbers_or = |format| if measures { format } else { COLOUR };
        let samples = quality.samples();
        // Settled when a pipeline is made, so that a shader for a slow adapter has nothing to skip.
        let taps = quality.shadow_taps();
        let constants =
            move |spared: Spared| -> Vec<(&'static str, f64)> { spared.constants().into_iter().chain([("shadow_taps", taps)]).collect() };
        let module = device
            .create_shader_module(wgpu::ShaderModuleDescriptor { label: Some("strata"), source: wgpu::ShaderSource::Wgsl(SHADERS.into()) });
        let uniform = |label, bytes: usize| {
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(label),
                entries: &[wgpu::BindGroupLayoutEntry {
                    binding: 0,
                    visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
                    ty: wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: true,
                        min_binding_size: std::num::NonZeroU64::new(bytes as u64),
                    },
                    count: None,
                }],
            })
        };
        let frame_layout = uniform("frame", size_of::<crate::uniforms::Frame>());
        let draw_layout = uniform("draw", size_of::<crate::uniforms::Draw>());
        let texture = |binding, sample_type| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
            ty: wgpu::BindingType::Texture { sample_type, view_dimension: wgpu::TextureViewDimension::D2, multisampled: false },
            count: None,
        };
        let numbers = wgpu::TextureSampleType::Float { filterable: false };
        let features_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("features"),
            entries: &[texture(0, wgpu::TextureSampleType::Uint)],
        });
        let shadow_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("shadow"),
            entries: &[
                texture(0, wgpu::TextureSampleType::Depth),
                wgpu::BindGroupLayoutEntry {
                    binding: 1,
                    visibility: wgpu::ShaderStages::FRAGMENT,
                    ty: wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Comparison),
                    count: None,
                },
                texture(2, numbers),
                texture(3, wgpu::TextureSampleType::Float { filterable: true }),
                wgpu::BindGroupLayoutEntry {
                    binding: 4,
                    visibility: wgpu::ShaderStages::FRAGMENT,
                    ty: wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering),
                    count: None,
                },
            ],
        });
        let of_textures = |label, entries: &[wgpu::BindGroupLayoutEntry]| {
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries })
        };
        let depths_layout = of_textures("depths", &[texture(1, numbers)]);
        let shaded_layout = of_textures("shaded", &[texture(1, numbers), texture(2, numbers), texture(3, numbers)]);
        let layout = |groups: &[Option<&wgpu::BindGroupLayout>]| {
            device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor { label: None, bind_group_layouts: groups, immediate_size: 0 })
        };
        let matter_layout = layout(&[Some(&frame_layout), Some(&draw_layout), Some(&features_layout), Some(&shadow_layout)]);
        let shadow_pass_layout = layout(&[Some(&frame_layout), Some(&draw_layout), Some(&features_layout)]);
        let build_of = |[whole, one_sided]: [bool; 2],
                        label: &'static str,
                        layout: &wgpu::PipelineLayout,
                        vertex: &'static str,
                        tiled: bool,
                        fragment: Option<&'static str>,
                        depth_stencil: Option<wgpu::DepthStencilState>,
                        format: wgpu::TextureFormat,
                        samples: u32|
         -> Later {
            let (device, module, layout) = (device.clone(), module.clone(), layout.clone());
            let constants = constants(Spared { whole, ..Default::default() });
            LazyCell::new(Box::new(move || {
                let plan = Plan { label, layout: &layout, vertex, tiled, fragment, depth_stencil, format, samples, one_sided };
                plan.make(&device, &module, &constants)
            }))
        };
        let build = |label, layout: &wgpu::PipelineLayout, vertex, tiled, fragment, depth_stencil, format, samples| {
            build_of([false; 2], label, layout, vertex, tiled, fragment, depth_stencil, format, samples)
        };
        let depth = |write, compare, bias| {
            let (depth_write_enabled, depth_compare) = (Some(write), Some(compare));
            Some(wgpu::DepthStencilState { format: DEPTH, depth_write_enabled, depth_compare, stencil: Default::default(), bias })
        };
        let state = depth(true, wgpu::CompareFunction::GreaterEqual, Default::default());
        let (of_device, of_module, of_layout) = (device.clone(), module.clone(), matter_layout.clone());
        let build_matter: Build = Box::new(move |entry, spared| {
            let (depth_stencil, fragment) = (state.clone(), Some(entry));
            let plan = Plan {
                label: entry,
                layout: &of_layout,
                vertex: "vs_main",
                tiled: true,
                fragment,
                depth_stencil,
                format: COLOUR,
                samples,
                one_sided: spared.one_sided,
            };
            plan.make(&of_device, &of_module, &constants(spared))
        });
        let bias = wgpu::DepthBiasState { constant: 2, slope_scale: 2.0, clamp: 0.0 };
        let cast = depth(true, wgpu::CompareFunction::LessEqual, bias);
        let shadow = [false, true]
            .map(|one_sided| build_of([false, one_sided], "shadow", &shadow_pass_layout, "vs_shadow", true, None, cast.clone(), COLOUR, 1));
        let empty = depth(true, wgpu::CompareFunction::Always, Default::default());
        let wipe = build("wipe", &layout(&[]), "vs_wipe", false, None, empty, COLOUR, 1);
        let earth_state = depth(true, wgpu::CompareFunction::GreaterEqual, Default::default());
        let earth = build("earth", &matter_layout, "vs_main", true, Some("fs_earth"), earth_state, COLOUR, samples);
        let ceiling_state = depth(true, wgpu::CompareFunction::GreaterEqual, Default::default());
        let ceiling = build("ceiling", &matter_layout, "vs_main", true, Some("fs_ceiling"), ceiling_state, COLOUR, samples);
        let sky_state = depth(false, wgpu::CompareFunction::GreaterEqual, Default::default());
        let sky = build("sky", &matter_layout, "vs_sky", false, Some("fs_sky"), sky_state, COLOUR, samples);
        let nearest = depth(true, wgpu::CompareFunction::GreaterEqual, Default::default());
        let metres = [false, true].map(|whole| {
            let format = numbers_or(crate::occlusion::METRES);
            build_of([whole, false], "metres", &shadow_pass_layout, "vs_main", true, Some("fs_depth"), nearest.clone(), format, 1)
        });
        let whole = |entry, group: &wgpu::BindGroupLayout, format| {
            build(entry, &layout(&[Some(&frame_layout), Some(group)]), "vs_sky", false, Some(entry), None, format, 1)
        };
        let occlusion = whole("fs_occlusion", &depths_layout, numbers_or(crate::occlusion::OPENNESS));
        let shaded = whole("fs_shaded", &shaded_layout, COLOUR);
        let blit_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("blit"),
            entries: &[texture(2, wgpu::TextureSampleType::Float { filterable: false })],
        });
        Self {
            frame_layout,
            draw_layout,
            features_layout,
            shadow_layout,
            shadow,
            wipe,
            sky,
            earth,
            ceiling,
            metres,
            occlusion,
            shaded,
            depths_layout,
            shaded_layout,
            matter: Default::default(),
            build_matter,
            blit_layout,
            module,
        }
    }
    /// The finished picture onto a surface of this format; one that does not encode sRGB itself gets it encoded.
    pub fn blit(&self, device: &wgpu::Device, format: wgpu::TextureFormat) -> wgpu::RenderPipeline {
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("blit"),
            bind_group_layouts: &[Some(&self.blit_layout)],
            immediate_size: 0,
        });
        device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("blit"),
            layout: Some(&layout),
            vertex: wgpu::VertexState {
                module: &self.module,
                entry_point: Some("vs_sky"),
                buffers: &[],
                compilation_options: Default::default(),
            },
            fragment: Some(wgpu::FragmentState {
                module: &self.module,
                entry_point: Some(if format.is_srgb() { "fs_blit" } else { "fs_blit_encoded" }),
                targets: &[Some(format.into())],
                compilation_options: Default::default(),
            }),
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: Default::default(),
            multiview_mask: None,
            cache: None,
        })
    }
    pub fn matter(&self, role: Role, spared: Spared) -> wgpu::RenderPipeline {
        let e = entry(role);
        let spared = spared.asked_by(e);
        self.matter.borrow_mut().entry((e, spared)).or_insert_with(|| (self.build_matter)(e, spared)).clone()
    }
    /// `whole`: nothing of what is drawn is taken away.
    pub fn metres(&self, whole: bool) -> &wgpu::RenderPipeline {
        &self.metres[usize::from(whole)]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Reads shaders and proves their types and bindings.
    pub fn sound(shaders: &str) -> naga::Module {
        let module = naga::front::wgsl::parse_str(shaders).unwrap_or_else(|e| panic!("{}", e.emit_to_string(shaders)));
        let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
        validator.validate(&module).unwrap_or_else(|e| panic!("{}", e.emit_to_string(shaders)));
        module
    }

    #[test]
    fn the_shaders_are_sound_without_a_gpu() {
        let module = sound(SHADERS);
        let names: Vec<&str> = module.entry_points.iter().map(|e| e.name.as_str()).collect();
        for e in ENTRIES {
            assert!(names.contains(&e), "{e}");
        }
        assert!(Role::ALL.iter().all(|r| ENTRIES.contains(&entry(*r))));
    }
}

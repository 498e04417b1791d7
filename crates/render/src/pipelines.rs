//! Shader module, layouts and pipelines. All shaders are one module: the files of `shaders/`, put together.

use std::cell::LazyCell;
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

const VERTEX: [wgpu::VertexAttribute; 4] = wgpu::vertex_attr_array![0 => Float32x3, 1 => Snorm8x4, 2 => Float32x4, 3 => Uint32];
const INSTANCE: [wgpu::VertexAttribute; 4] = wgpu::vertex_attr_array![4 => Float32x3, 5 => Float32x4, 6 => Float32x3, 7 => Uint32];
const BUFFERS: [Option<wgpu::VertexBufferLayout<'_>>; 2] = [
    Some(wgpu::VertexBufferLayout { array_stride: VERTEX_BYTES, step_mode: wgpu::VertexStepMode::Vertex, attributes: &VERTEX }),
    Some(wgpu::VertexBufferLayout { array_stride: INSTANCE_BYTES, step_mode: wgpu::VertexStepMode::Instance, attributes: &INSTANCE }),
];

pub struct Pipelines {
    pub frame_layout: wgpu::BindGroupLayout,
    pub draw_layout: wgpu::BindGroupLayout,
    pub features_layout: wgpu::BindGroupLayout,
    pub shadow_layout: wgpu::BindGroupLayout,
    pub shadow: Later,
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
    /// Of what may be taken away in part, and of what is drawn whole.
    matter: Vec<(&'static str, [Later; 2])>,
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

impl Pipelines {
    /// `measures`: distances can be drawn; without, the pipelines for them are made for another picture and stand idle.
    pub fn new(device: &wgpu::Device, quality: crate::Quality, measures: bool) -> Self {
        let numbers_or = |format| if measures { format } else { COLOUR };
        let samples = quality.samples();
        // Settled when a pipeline is made, so that a shader for a slow adapter has nothing to skip.
        let constants = |whole: bool| [("shadow_taps", quality.shadow_taps()), ("whole", f64::from(u8::from(whole)))];
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
        let build_of = |whole: bool,
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
            let constants = constants(whole);
            LazyCell::new(Box::new(move || {
                let compiled = || wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() };
                let targets = [Some(wgpu::ColorTargetState { format, blend: None, write_mask: wgpu::ColorWrites::ALL })];
                let buffers: &[Option<wgpu::VertexBufferLayout<'_>>] = if tiled { &BUFFERS } else { &[] };
                device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                    label: Some(label),
                    layout: Some(&layout),
                    vertex: wgpu::VertexState { module: &module, entry_point: Some(vertex), buffers, compilation_options: compiled() },
                    fragment: fragment.map(|entry| wgpu::FragmentState {
                        module: &module,
                        entry_point: Some(entry),
                        targets: &targets,
                        compilation_options: compiled(),
                    }),
                    // Real bodies are closed, ribbons and foreign models are not: both sides are drawn.
                    primitive: wgpu::PrimitiveState::default(),
                    depth_stencil,
                    multisample: wgpu::MultisampleState { count: samples, ..Default::default() },
                    multiview_mask: None,
                    cache: None,
                })
            }))
        };
        let build = |label, layout: &wgpu::PipelineLayout, vertex, tiled, fragment, depth_stencil, format, samples| {
            build_of(false, label, layout, vertex, tiled, fragment, depth_stencil, format, samples)
        };
        let depth = |write, compare, bias| {
            let (depth_write_enabled, depth_compare) = (Some(write), Some(compare));
            Some(wgpu::DepthStencilState { format: DEPTH, depth_write_enabled, depth_compare, stencil: Default::default(), bias })
        };
        let matter = ENTRIES
            .iter()
            .map(|e| {
                let state = depth(true, wgpu::CompareFunction::GreaterEqual, Default::default());
                let of = |whole| build_of(whole, e, &matter_layout, "vs_main", true, Some(e), state.clone(), COLOUR, samples);
                (*e, [false, true].map(of))
            })
            .collect();
        let bias = wgpu::DepthBiasState { constant: 2, slope_scale: 2.0, clamp: 0.0 };
        let shadow =
            build("shadow", &shadow_pass_layout, "vs_shadow", true, None, depth(true, wgpu::CompareFunction::LessEqual, bias), COLOUR, 1);
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
            build_of(whole, "metres", &shadow_pass_layout, "vs_main", true, Some("fs_depth"), nearest.clone(), format, 1)
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
            matter,
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
    /// `whole`: nothing of it is taken away.
    pub fn matter(&self, role: Role, whole: bool) -> &wgpu::RenderPipeline {
        let e = entry(role);
        &self.matter.iter().find(|(name, _)| *name == e).unwrap_or(&self.matter[0]).1[usize::from(whole)]
    }
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

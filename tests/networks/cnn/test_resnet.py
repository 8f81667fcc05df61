"""The ResNet is transformers': names, values, gradients, both ways; shortcuts; sizes of the papers."""

from functools import cache

import pytest
import torch

from etude.core.random import seeded, stream
from etude.networks.cnn import resnet
from etude.networks.cnn.layers import OURS, TORCH
from etude.networks.cnn.resnet import Residual, ResNet, ResNetClassifier, ResNetConfig

SMALL = {
    "basic": ResNetConfig(
        channels=3, classes=5, stem="large", embedding=8, widths=(8, 16, 24), depths=(2, 1, 2)
    ),
    "bottleneck": ResNetConfig(
        channels=3, classes=5, stem="large", embedding=8, widths=(16, 32), depths=(2, 2),
        bottleneck=True,
    ),
}  # fmt: skip


@cache
def reference():
    import transformers

    return transformers


def their_config(config):
    return reference().ResNetConfig(
        num_channels=config.channels, embedding_size=config.embedding,
        hidden_sizes=list(config.widths), depths=list(config.depths),
        layer_type="bottleneck" if config.bottleneck else "basic", num_labels=config.classes,
    )  # fmt: skip


def random_state(model, seed=0):
    """Give every parameter and every memory a value that tells it from the others."""
    g = stream(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                drawn = torch.randn(tensor.shape, generator=g, dtype=torch.float64)
                scale = 0.3 if tensor.ndim < 2 else (2 / tensor[0].numel()) ** 0.5
                shift = 1.0 if name.endswith(("normalization.weight", "running_var")) else 0.0
                tensor.copy_((shift + scale * drawn).abs() if shift else scale * drawn)
    return model


def images(dtype=torch.float64, size=65):
    return torch.randn(2, 3, size, size, generator=stream(1), dtype=dtype)


@pytest.mark.parametrize("layers", [TORCH, OURS], ids=["torch's layers", "our layers"])
@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("training", [True, False])
def test_it_loads_the_resnet_of_transformers_and_is_loaded_by_it(kind, layers, training, parity):
    config = SMALL[kind]
    theirs = random_state(reference().ResNetModel(their_config(config)).double())
    ours = ResNet(config, layers).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict(), strict=True)
    ours.train(training)
    theirs.train(training)
    item = f"ResNet, {kind} layers, {'training' if training else 'afterwards'}"
    mine, expected = ours(images()), theirs(images(), output_hidden_states=True)
    parity(f"{item}: pooled", mine.pooled, expected.pooler_output.flatten(1),
           reference="transformers.ResNetModel", tolerance=1e-12)  # fmt: skip
    assert len(mine.maps) == len(expected.hidden_states)
    for own, other in zip(mine.maps, expected.hidden_states, strict=True):
        parity(f"{item}: maps", own, other, reference="transformers.ResNetModel", tolerance=1e-12)
    slopes = [
        torch.autograd.grad(y.square().sum(), list(model.parameters()))
        for y, model in ((mine.pooled, ours), (expected.pooler_output, theirs))
    ]
    for own, other in zip(*slopes, strict=True):
        parity(f"{item}: gradients", own, other,
               reference="transformers.ResNetModel", tolerance=1e-9)  # fmt: skip
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-10, atol=1e-12)

    back = reference().ResNetModel(their_config(config)).double()
    back.load_state_dict(random_state(ours, seed=2).state_dict(), strict=True)
    with torch.no_grad():
        parity("ResNet loaded by the reference", ours.eval()(images()).pooled,
               back.eval()(images()).pooler_output.flatten(1),
               reference="transformers.ResNetModel", tolerance=1e-12)  # fmt: skip


@pytest.mark.parametrize("kind", SMALL)
def test_a_classifier_goes_through_a_saved_folder_both_ways(kind, parity, tmp_path):
    """`save_pretrained` and `from_pretrained`, without a name missing or left over, in float32."""
    from safetensors.torch import load_file, save_file

    config = SMALL[kind]
    theirs = random_state(reference().ResNetForImageClassification(their_config(config))).eval()
    theirs.save_pretrained(tmp_path)
    ours = ResNetClassifier(config)
    ours.load_state_dict(load_file(tmp_path / "model.safetensors"), strict=True)
    x = images(torch.float32)
    with torch.no_grad():
        parity(f"ResNetClassifier, {kind}, float32", ours.eval()(x), theirs(x).logits,
               reference="transformers.ResNetForImageClassification", tolerance=1e-6)  # fmt: skip
    random_state(ours, seed=3)
    save_file(ours.state_dict(), tmp_path / "model.safetensors", metadata={"format": "pt"})
    back, told = reference().ResNetForImageClassification.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    with torch.no_grad():
        parity(f"ResNetClassifier, {kind}, loaded by from_pretrained", ours(x), back.eval()(x).logits,
               reference="transformers.ResNetForImageClassification", tolerance=1e-6)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "depths", "millions"),
    [
        ("RESNET18", "basic", [2, 2, 2, 2], 11.69),
        ("RESNET34", "basic", [3, 4, 6, 3], 21.80),
        ("RESNET50", "bottleneck", [3, 4, 6, 3], 25.56),
        ("RESNET101", "bottleneck", [3, 4, 23, 3], 44.55),
        ("RESNET152", "bottleneck", [3, 8, 36, 3], 60.19),
    ],
)
def test_the_papers_sizes_have_their_names_and_parameters(name, kind, depths, millions):
    config = getattr(resnet, name)
    with torch.device("meta"):
        ours = ResNetClassifier(config)
        theirs = reference().ResNetForImageClassification(
            reference().ResNetConfig(
                layer_type=kind, depths=depths, num_labels=1000,
                hidden_sizes=[64, 128, 256, 512] if kind == "basic" else [256, 512, 1024, 2048],
            )
        )  # fmt: skip
    shapes = [{n: tuple(v.shape) for n, v in m.state_dict().items()} for m in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert sum(p.numel() for p in ours.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)


def test_a_layer_that_adds_nothing_is_the_identity_on_what_is_positive():
    layer = Residual(4, 4, 1, ResNetConfig())
    with torch.no_grad():
        layer.layer[1].normalization.weight.zero_()
    x = torch.rand(2, 4, 5, 5, generator=stream(0))
    torch.testing.assert_close(layer(x), x)
    plain = Residual(4, 4, 1, ResNetConfig(residual=False))
    assert not any("shortcut" in key for key in plain.state_dict())
    assert not torch.allclose(plain(x), x)


def test_a_shortcut_has_weights_only_where_the_shape_changes():
    config = ResNetConfig(embedding=4, widths=(4, 8), depths=(2, 2))
    names = {key.split(".layers.")[0] + ".layers." + key.split(".layers.")[1][0]
             for key in ResNet(config).state_dict() if "shortcut" in key}  # fmt: skip
    assert names == {"encoder.stages.1.layers.0"}
    assert ResNet(config)(torch.zeros(2, 1, 16, 16)).maps[-1].shape == (2, 8, 8, 8)


def test_a_deep_plain_network_loses_its_gradient_and_a_residual_one_does_not():
    """Without normalization to hide it: the first layer's gradient through thirty layers."""
    slopes = {}
    for residual in (True, False):
        config = ResNetConfig(embedding=4, widths=(4,), depths=(30,), residual=residual)
        with seeded(0):
            net = (
                ResNetClassifier(config).double().eval()
            )  # memories 0 and 1: nothing is normalized
        x = torch.randn(4, 1, 8, 8, generator=stream(0), dtype=torch.float64)
        net.loss(x, torch.tensor([0, 1, 2, 3])).backward()
        first = net.resnet.encoder.stages[0].layers[0].layer[0].convolution
        slopes[residual] = float(first.weight.grad.norm())
    assert slopes[True] > 1e-2
    assert slopes[False] < 1e-12


@pytest.mark.usefixtures("as_a_user")
def test_a_config_that_makes_no_network_is_refused():
    for wrong, message in (
        ({"stem": "tiny"}, "stem must be 'small' or 'large'"),
        ({"widths": (4,), "depths": (1, 1)}, "widths and depths must be as many"),
        ({"widths": (), "depths": ()}, "at least one"),
        ({"depths": (1, 0)}, "depths must be positive"),
        ({"widths": (6, 8), "bottleneck": True}, "widths of bottlenecks fourfold"),
    ):
        with pytest.raises(ValueError, match=message):
            ResNetConfig(**wrong)
    with pytest.raises(ValueError, match=r"x has 3 axes"):
        ResNet(ResNetConfig())(torch.zeros(1, 8, 8))


def test_names_are_those_that_are_published():
    """A key of each kind, as in the files of microsoft/resnet-18."""
    keys = set(ResNetClassifier(resnet.RESNET18).state_dict())
    for key in (
        "resnet.embedder.embedder.convolution.weight",
        "resnet.embedder.embedder.normalization.num_batches_tracked",
        "resnet.encoder.stages.0.layers.0.layer.0.convolution.weight",
        "resnet.encoder.stages.1.layers.0.shortcut.convolution.weight",
        "resnet.encoder.stages.3.layers.1.layer.1.normalization.running_var",
        "classifier.1.weight",
    ):
        assert key in keys

"""The networks, each as a chain of layers.

`paper`, `regions` and `attention` are trained from scratch; `imagenet` has pretrained networks, and `adapted` gives
them a new head.
"""

from collections.abc import Callable

from tinydnn.layers import Sequential
from tinydnn.models.adapted import HEADS, adapted
from tinydnn.models.attention import attention_cnn, vit_tiny
from tinydnn.models.imagenet import NETWORKS, Network, alexnet, squeezenet1_1, vgg16
from tinydnn.models.paper import CHANNELS, baseline_cnn, batchnorm_cnn
from tinydnn.models.regions import large_region_cnn, region_cnn

MODELS: dict[str, Callable[..., Sequential]] = {
    "baseline": baseline_cnn,
    "batchnorm": batchnorm_cnn,
    "regions": region_cnn,
    "large-regions": large_region_cnn,
    "attention": attention_cnn,
    "vit-tiny": vit_tiny,
}
REGION_NETWORKS = ("regions", "large-regions")  # those of `MODELS` that learn from tumour masks

__all__ = [
    "CHANNELS", "HEADS", "MODELS", "NETWORKS", "REGION_NETWORKS", "Network", "adapted", "alexnet", "attention_cnn",
    "baseline_cnn", "batchnorm_cnn", "large_region_cnn", "region_cnn", "squeezenet1_1", "vgg16", "vit_tiny",
]  # fmt: skip

"""The mathematics: one file per operation, with its formula, forward and backward function."""

from tinydnn.ops.attention_pool2d import attention_pool2d, position_weights
from tinydnn.ops.avgpool2d import avgpool2d
from tinydnn.ops.batchnorm2d import batchnorm2d
from tinydnn.ops.channel_mean_max import channel_mean_max
from tinydnn.ops.context import PRECISIONS, Call, inference_mode, precision, trace
from tinydnn.ops.conv2d import conv2d
from tinydnn.ops.conv2d_relu import conv2d_relu
from tinydnn.ops.conv2d_relu_maxpool2d import conv2d_relu_maxpool2d
from tinydnn.ops.dropout import dropout
from tinydnn.ops.gate2d import gate2d
from tinydnn.ops.gelu import gelu
from tinydnn.ops.global_avgpool2d import global_avgpool2d
from tinydnn.ops.implementation import Arguments, Backward, Implementation
from tinydnn.ops.layernorm import layernorm
from tinydnn.ops.linear import linear
from tinydnn.ops.maxpool2d import maxpool2d
from tinydnn.ops.mean_squared_error import mean_squared_error
from tinydnn.ops.moments import moments
from tinydnn.ops.multihead_attention import attention_weights, multihead_attention
from tinydnn.ops.operation import Operation, operation, operations, overridden, use
from tinydnn.ops.region_cross_entropy import region_cross_entropy
from tinydnn.ops.region_vote import region_vote
from tinydnn.ops.relu import relu
from tinydnn.ops.sigmoid import sigmoid
from tinydnn.ops.softmax_cross_entropy import softmax, softmax_cross_entropy

__all__ = [
    "PRECISIONS", "Arguments", "Backward", "Call", "Implementation", "Operation", "attention_pool2d",
    "attention_weights", "avgpool2d", "batchnorm2d", "channel_mean_max", "conv2d", "conv2d_relu",
    "conv2d_relu_maxpool2d", "dropout", "gate2d", "gelu", "global_avgpool2d", "inference_mode", "layernorm", "linear",
    "maxpool2d", "mean_squared_error", "moments", "multihead_attention", "operation", "operations", "overridden",
    "position_weights", "precision", "region_cross_entropy", "region_vote", "relu", "sigmoid", "softmax",
    "softmax_cross_entropy", "trace", "use",
]  # fmt: skip

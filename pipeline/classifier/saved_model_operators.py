"""List the TensorFlow operators that a SavedModel may hold: arithmetic, images, control flow.

What is not listed is refused, so that an operator of a newer TensorFlow or of a plug-in has to be
looked at before it is let in. None of these touches files, the network, Python or the process.
"""

from __future__ import annotations

_ARITHMETIC = """
Abs Add AddN AddV2 All Any ArgMax ArgMin BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAdd Bitcast
BroadcastArgs BroadcastTo Cast Ceil ClipByValue Concat ConcatV2 Const Cumsum Div DivNoNan Einsum
Elu Equal Erf Exp ExpandDims Expm1 Fill Floor FloorDiv FloorMod Gather GatherNd GatherV2 Greater
GreaterEqual Identity IdentityN L2Loss LeakyRelu Less LessEqual LinSpace Log Log1p LogSoftmax
LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum MirrorPad Mul MulNoNan Neg
NotEqual OneHot OnesLike Pack Pad PadV2 Pow Prod Range Rank RealDiv Reciprocal Relu Relu6 Reshape
Reverse ReverseV2 Round Rsqrt Select SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Cos Size Slice
Softmax Softplus Softsign Split SplitV Sqrt Square SquaredDifference Squeeze StridedSlice Sub Sum
Tan Tanh Tile TopKV2 Transpose TruncateDiv Unpack Where Xdivy ZerosLike
"""
_IMAGES = """
AdjustContrastv2 AdjustHue AdjustSaturation AvgPool BatchToSpaceND Conv2D CropAndResize
DepthToSpace DepthwiseConv2dNative FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 HSVToRGB
ImageProjectiveTransformV2 ImageProjectiveTransformV3 LRN MaxPool MaxPoolV2 RGBToHSV ResizeArea
ResizeBicubic ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate SpaceToBatchND SpaceToDepth
"""
_CONTROL = """
Assert EnsureShape If NoOp PartitionedCall Placeholder PlaceholderWithDefault PreventGradient
StatefulPartitionedCall StatelessIf StatelessWhile StopGradient While
"""
_VARIABLES = """
AssignAddVariableOp AssignSubVariableOp AssignVariableOp DisableCopyOnRead ReadVariableOp
ResourceGather VarHandleOp VarIsInitializedOp VariableShape
"""
# Keras 2 saves what layers do in training beside what they do at inference.
_RANDOM = """
RandomStandardNormal RandomUniform RandomUniformInt RngReadAndSkip StatelessRandomGetAlg
StatelessRandomGetKeyCounter StatelessRandomNormalV2 StatelessRandomUniform
StatelessRandomUniformFullIntV2 StatelessRandomUniformIntV2 StatelessRandomUniformV2
StatelessTruncatedNormalV2 TruncatedNormal
"""
ALLOWED = frozenset((_ARITHMETIC + _IMAGES + _CONTROL + _VARIABLES + _RANDOM).split())

# In the functions that save and restore variables, which nothing else may call.
OF_SAVER = frozenset(
    [
        "MergeV2Checkpoints",
        "RestoreV2",
        "SaveV2",
        "ShardedFilename",
        "StaticRegexFullMatch",
        "StringJoin",
    ]
)

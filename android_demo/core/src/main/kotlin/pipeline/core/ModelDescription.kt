package pipeline.core

import java.io.IOException
import java.nio.ByteBuffer
import org.tensorflow.lite.schema.Model
import org.tensorflow.lite.schema.TensorType
import org.tensorflow.lite.support.metadata.MetadataExtractor
import org.tensorflow.lite.support.metadata.schema.AssociatedFileType
import org.tensorflow.lite.support.metadata.schema.ColorSpaceType
import org.tensorflow.lite.support.metadata.schema.ContentProperties
import org.tensorflow.lite.support.metadata.schema.ImageProperties
import org.tensorflow.lite.support.metadata.schema.NormalizationOptions
import org.tensorflow.lite.support.metadata.schema.ProcessUnitOptions
import org.tensorflow.lite.support.metadata.schema.TensorMetadata

/**
 * Holds what a `.tflite` file says of itself: how pictures are prepared, what its outputs mean.
 *
 * [minRuntime] is the oldest runtime the file itself names, null where it names none.
 */
class ModelDescription(
    val name: String,
    val description: String,
    val version: String,
    val license: String,
    val image: ImageSpec,
    val input: TensorSpec,
    val output: TensorSpec,
    val labels: Labels,
    val minRuntime: String?,
) {
    companion object {
        /** The contract's limit, for a model that comes without a bundle that states one. */
        const val MAX_IMAGE_PX = 100_000_000L

        private const val MIN_RUNTIME = "min_runtime_version"
        private const val ROOT_TYPE = "TFL3"
        private const val BATCH_RANK = 4

        /**
         * Reads a model's tensors, metadata and label files, by the schemas of TensorFlow Lite.
         *
         * @throws Refusal the file is damaged, carries no metadata, or is no image classifier.
         */
        fun read(model: ByteBuffer, maxImagePx: Long = MAX_IMAGE_PX): ModelDescription =
            try {
                describe(model, maxImagePx)
            } catch (error: IOException) {
                throw unreadable(error)
            } catch (error: RuntimeException) {
                // The schema's accessors meet damage as bad indices, sizes and arguments alike.
                throw unreadable(error)
            }

        private fun describe(model: ByteBuffer, maxImagePx: Long): ModelDescription {
            val file = model.duplicate().apply { rewind() }
            need(Model.ModelBufferHasIdentifier(file), "it is not a TensorFlow Lite model ($ROOT_TYPE)")
            val extractor = MetadataExtractor(file)
            need(extractor.hasMetadata(), "it carries no metadata")
            need(
                extractor.inputTensorCount == 1 && extractor.outputTensorCount == 1,
                "it has ${extractor.inputTensorCount} inputs and ${extractor.outputTensorCount} outputs, not one of each",
            )
            val about = extractor.modelMetadata
            val aboutInput = extractor.getInputTensorMetadata(0)
            val aboutOutput = extractor.getOutputTensorMetadata(0)
            need(aboutInput != null && aboutOutput != null, "its metadata does not describe its tensors")
            val input = extractor.getInputTensorQuantizationParams(0).let {
                TensorSpec(
                    aboutInput!!.name().orEmpty(), extractor.getInputTensorShape(0).toList(),
                    elementType(extractor.getInputTensorType(0)), it.scale, it.zeroPoint,
                )
            }
            val output = extractor.getOutputTensorQuantizationParams(0).let {
                TensorSpec(
                    aboutOutput!!.name().orEmpty(), extractor.getOutputTensorShape(0).toList(),
                    elementType(extractor.getOutputTensorType(0)), it.scale, it.zeroPoint,
                )
            }
            val labels = labels(extractor, aboutOutput!!)
            need(
                input.shape.size == BATCH_RANK && input.shape.first() == 1 && input.shape.last() == Resize.CHANNELS,
                "its input of shape ${input.shape} is not one RGB picture",
            )
            need(isRgb(aboutInput!!), "its metadata does not say that it takes RGB")
            need(
                output.shape == listOf(1, labels.names.size),
                "its output of shape ${output.shape} does not fit its ${labels.names.size} labels",
            )
            for (tensor in listOf(input, output)) {
                need(tensor.type.range == null || tensor.scale > 0f, "the tensor ${tensor.name} has no scale")
            }
            val (mean, std) = normalization(aboutInput)
            return ModelDescription(
                name = about.name().orEmpty(),
                description = about.description().orEmpty(),
                version = about.version().orEmpty(),
                license = about.license().orEmpty(),
                image = ImageSpec(input.shape[1], input.shape[2], mean, std, maxImagePx),
                input = input,
                output = output,
                labels = labels,
                // The extractor moved its own buffer's position, which is where a root is looked for.
                minRuntime = minRuntime(Model.getRootAsModel(model.duplicate().apply { rewind() })),
            )
        }

        private fun elementType(type: Byte): ElementType = when (type) {
            TensorType.FLOAT32 -> ElementType.FLOAT32
            TensorType.UINT8 -> ElementType.UINT8
            TensorType.INT8 -> ElementType.INT8
            else -> throw Damaged("a tensor has the type ${TensorType.name(type.toInt())}")
        }

        private fun isRgb(input: TensorMetadata): Boolean {
            val content = input.content() ?: return false
            if (content.contentPropertiesType() != ContentProperties.ImageProperties) return false
            val image = content.contentProperties(ImageProperties()) as ImageProperties? ?: return false
            return image.colorSpace() == ColorSpaceType.RGB
        }

        private fun normalization(input: TensorMetadata): Pair<Float, Float> {
            for (i in 0 until input.processUnitsLength()) {
                val unit = input.processUnits(i)
                if (unit.optionsType() != ProcessUnitOptions.NormalizationOptions) continue
                val options = unit.options(NormalizationOptions()) as NormalizationOptions
                val means = (0 until options.meanLength()).map(options::mean).distinct()
                val stds = (0 until options.stdLength()).map(options::std).distinct()
                need(means.size == 1 && stds.size == 1, "it normalizes each channel differently")
                need(stds.single() > 0f, "its standard deviation is ${stds.single()}")
                return means.single() to stds.single()
            }
            throw Damaged("it does not say how pictures are normalized")
        }

        // Without a locale a label file holds the labels, with one the names that people read.
        private fun labels(extractor: MetadataExtractor, output: TensorMetadata): Labels {
            var names: List<String>? = null
            var shown: List<String>? = null
            for (i in 0 until output.associatedFilesLength()) {
                val file = output.associatedFiles(i)
                if (file.type() != AssociatedFileType.TENSOR_AXIS_LABELS) continue
                val stream = extractor.getAssociatedFile(file.name())
                    ?: throw Damaged("its label file ${file.name()} is not packed in it")
                val lines = stream.bufferedReader(Charsets.UTF_8).useLines { all ->
                    all.map(String::trim).filter(String::isNotEmpty).toList()
                }
                if (file.locale().isNullOrEmpty()) names = lines else shown = shown ?: lines
            }
            val known = names ?: throw Damaged("it carries no labels")
            need(known.toSet().size == known.size, "a label of it repeats")
            need(shown == null || shown.size == known.size, "its full names are not as many as its labels")
            return Labels(known, shown?.let { known.zip(it).toMap() }.orEmpty())
        }

        private fun minRuntime(model: Model): String? {
            for (i in 0 until model.metadataLength()) {
                val entry = model.metadata(i)
                if (entry.name() != MIN_RUNTIME) continue
                val data = model.buffers(entry.buffer().toInt()).dataAsByteBuffer() ?: return null
                val text = ByteArray(data.remaining()).also { data.get(it) }.toString(Charsets.UTF_8)
                return text.trim { it <= ' ' }.takeIf(String::isNotEmpty)
            }
            return null
        }

        private fun need(condition: Boolean, otherwise: String) {
            if (!condition) throw Damaged(otherwise)
        }

        private fun unreadable(error: Exception) =
            Refusal("The model file cannot be read: ${error.message ?: error.javaClass.simpleName}.", error)
    }

    private class Damaged(message: String) : RuntimeException(message)
}

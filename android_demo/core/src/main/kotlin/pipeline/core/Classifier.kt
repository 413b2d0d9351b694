package pipeline.core

import java.io.Closeable

/** Holds the answer for one photo; times are milliseconds. */
class Classification(
    val probabilities: FloatArray,
    val decodeMs: Double,
    val preprocessMs: Double,
    val inferenceMs: Double,
)

/** Turns the bytes of a photo into probabilities, the way the model's own file says. */
class Classifier(
    val description: ModelDescription,
    val engine: Engine,
    val decoder: PhotoDecoder,
) : Closeable {
    private val resize = Resize(description.image.heightPx, description.image.widthPx)

    /**
     * Classifies an encoded photo.
     *
     * @throws PhotoRefusal the photo cannot be used.
     */
    fun classify(photo: ByteArray): Classification {
        val start = System.nanoTime()
        decoder.open(photo, description.image.maxImagePx).use { source ->
            val opened = System.nanoTime()
            val pixels = resize.pixels(source, Orientation.of(photo))
            return answer(pixels, decodeMs = ms(start, opened), preparedFrom = opened)
        }
    }

    /** Returns the resized pixels of an encoded photo, uint8 RGB, rows first, at the model's size. */
    fun pixels(photo: ByteArray): ByteArray =
        decoder.open(photo, description.image.maxImagePx).use { resize.pixels(it, Orientation.of(photo)) }

    /** Classifies resized pixels that [pixels] returned. */
    fun classifyPixels(pixels: ByteArray): Classification =
        answer(pixels, decodeMs = 0.0, preparedFrom = System.nanoTime())

    private fun answer(pixels: ByteArray, decodeMs: Double, preparedFrom: Long): Classification {
        val input = description.image.inputTensor(pixels, description.input)
        val prepared = System.nanoTime()
        val output = engine.run(input)
        val answered = System.nanoTime()
        return Classification(
            probabilities = description.output.dequantize(output),
            decodeMs = decodeMs,
            preprocessMs = ms(preparedFrom, prepared),
            inferenceMs = ms(prepared, answered),
        )
    }

    override fun close() = engine.close()

    private fun ms(from: Long, to: Long): Double = (to - from) / NANOSECONDS_PER_MS

    private companion object {
        const val NANOSECONDS_PER_MS = 1e6
    }
}

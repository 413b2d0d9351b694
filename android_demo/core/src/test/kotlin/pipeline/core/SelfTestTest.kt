package pipeline.core

import java.io.FileNotFoundException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

class SelfTestTest {
    private val labels = Labels(listOf("A", "B"))
    private val image = ImageSpec(8, 8, 0f, 255f, 10_000)
    private val input = TensorSpec("image", listOf(1, 8, 8, 3), ElementType.UINT8, 1f, 0)
    private val output = TensorSpec("probability", listOf(1, 2), ElementType.FLOAT32, 0f, 0)
    private val description = ModelDescription("m", "", "1", "", image, input, output, labels, null)
    private val pictures = mapOf("one.jpg" to colorful(11, 9), "two.jpg" to colorful(5, 20))
    private val photos = pictures.mapValues { PlainDecoder.encode(it.value) }

    /** Answers with the share of the first byte that was fed, so that the input decides. */
    private class ByteEngine(private val answer: (Float) -> Float = { it }) : Engine {
        override val runtimeVersion = "1.2.3"
        override val threads = 2

        override fun run(input: ByteBuffer): ByteBuffer {
            val share = answer((input.get(0).toInt() and 0xff) / 255f)
            return ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder()).putFloat(share).putFloat(1 - share).apply { rewind() }
        }

        override fun close() = Unit
    }

    private class Store(private val photos: Map<String, ByteArray>) : FileStore {
        override fun list(folder: String) = photos.keys.toList()

        override fun all() = photos.keys.map { "goldens/$it" }.sorted()

        override fun read(path: String) = photos[path.removePrefix("goldens/")] ?: throw FileNotFoundException(path)

        override fun map(path: String) = ByteBuffer.wrap(read(path))
    }

    private fun golden(file: String): Golden {
        val photo = photos.getValue(file)
        val upright = Upright.of(photo, PlainDecoder(), 10_000)
        val pixels = Resize(8, 8).pixels(PlainDecoder().open(photo, 10_000), Orientation.UPRIGHT)
        val share = (pixels[0].toInt() and 0xff) / 255f
        val cells = List(16) { cell ->
            List(3) { i ->
                val places = (0 until 4).map { (cell / 4 * 2 + it / 2) * 8 + cell % 4 * 2 + it % 2 }
                places.map { pixels[it * 3 + i].toInt() and 0xff }.average()
            }
        }
        return Golden(
            file, Hash.of(photo), "a picture", upright.widthPx, upright.heightPx, upright.sha256,
            Hash.of(pixels), cells, mapOf("A" to share, "B" to 1 - share),
        )
    }

    private fun run(
        decoder: PhotoDecoder = PlainDecoder(),
        engine: Engine = ByteEngine(),
        store: Map<String, ByteArray> = photos,
        model: ModelDescription = description,
        modelSha256: String = "m".repeat(64),
        change: (Golden) -> Golden = { it },
        progress: (Int, Int) -> Unit = { _, _ -> },
        none: Boolean = false,
    ): SelfTestReport {
        val goldens = Goldens(
            "f".repeat(64), "m".repeat(64), "c".repeat(64), labels.names, 0.01f, 2.0,
            photos.keys.map { change(golden(it)) },
        )
        val bundle = Bundle(
            "model.tflite", ByteBuffer.allocate(0), modelSha256, model, Decision(), goldens.takeUnless { none }, null, true,
        )
        return SelfTest(bundle, Classifier(model, engine, decoder), Store(store), "a test").run(progress)
    }

    private fun changed(
        golden: Golden,
        tensor: String = golden.tensorSha256,
        width: Int = golden.widthPx,
        probabilities: Map<String, Float> = golden.probabilities,
    ) = Golden(
        golden.file, golden.sha256, golden.about, width, golden.heightPx, golden.pixelsSha256, tensor, golden.cellMeans, probabilities,
    )

    /** Asserts a failure whose recording holds the answers to [answered] and blames [failed], both files. */
    private fun assertFails(
        report: SelfTestReport,
        words: String,
        answered: Collection<String> = photos.keys,
        failed: Collection<String> = photos.keys,
    ): JsonObject {
        assertEquals(Outcome.FAIL, report.outcome)
        assertTrue(words in report.sentence, report.sentence)
        val fields = Json.parseToJsonElement(report.recording!!).jsonObject
        assertEquals(hashes(answered), texts(fields, "image_ids"))
        assertEquals(hashes(failed), texts(fields, "self_test_failed"))
        assertEquals(answered.size, rows(fields).size)
        assertTrue(report.latencyMsP50!! <= report.latencyMsP90!!)
        return fields
    }

    private fun hashes(files: Collection<String>) = files.map { Hash.of(photos.getValue(it)) }

    private fun texts(fields: JsonObject, key: String) = fields.getValue(key).jsonArray.map { it.jsonPrimitive.content }

    private fun rows(fields: JsonObject) =
        fields.getValue("probabilities").jsonArray.map { row -> row.jsonArray.map { it.jsonPrimitive.content.toFloat() } }

    @Test
    fun `goldens that agree pass, with latencies, progress and a recording`() {
        val seen = mutableListOf<Pair<Int, Int>>()
        val report = run(progress = { done, total -> seen += done to total })
        assertEquals(Outcome.PASS, report.outcome, report.sentence)
        assertEquals("All 2 goldens agree with the host.", report.sentence)
        assertEquals(listOf(0 to 2, 1 to 2, 2 to 2), seen)
        assertTrue(report.latencyMsP50!! <= report.latencyMsP90!!)
        assertNotNull(report.recording)
    }

    @Test
    fun `the recording holds what parity reads, floats to the last bit`() {
        val fields = Json.parseToJsonElement(run(engine = ByteEngine { it + 1e-7f }).recording!!).jsonObject
        fun text(key: String) = fields.getValue(key).jsonPrimitive.content
        assertEquals("recording", text("kind"))
        assertEquals("android", text("runtime"))
        assertEquals("1.2.3", text("runtime_version"))
        assertEquals("goldens", text("split"))
        assertEquals("f".repeat(64), text("dataset_sha256"))
        assertEquals("c".repeat(64), text("image_contract_sha256"))
        assertEquals("2", text("count"))
        assertEquals("2", text("threads"))
        assertEquals("a test", text("host"))
        assertEquals(hashes(photos.keys), texts(fields, "image_ids"))
        assertEquals(emptyList(), texts(fields, "self_test_failed"))
        val expected = photos.keys.map { golden(it).probabilities.getValue("A") + 1e-7f }
        assertEquals(expected, rows(fields).map { it[0] })
    }

    @Test
    fun `a decoder with swapped channels fails`() {
        assertFails(run(PlainDecoder { it.and(0xff).shl(16) or it.and(0xff00) or (it ushr 16) }), "of 255")
    }

    @Test
    fun `other input from the same pixels fails`() {
        assertFails(run(change = { changed(it, tensor = "0".repeat(64)) }), "the model's input is not the host's")
    }

    @Test
    fun `a decoder that is nearly the same passes where another golden is exact`() {
        var first: String? = null
        val decoder = object : PhotoDecoder {
            override fun open(photo: ByteArray, maxImagePx: Long): PixelSource {
                if (first == null) first = Hash.of(photo)
                val near = Hash.of(photo) == first
                return PlainDecoder { if (near && it and 0xff < 255) it + 1 else it }.open(photo, maxImagePx)
            }
        }
        val report = run(decoder)
        assertEquals(Outcome.PASS, report.outcome, report.sentence)
        assertTrue("slightly other pixels for 1 of them" in report.sentence, report.sentence)
        assertEquals(listOf(false, true), report.results.map { it.decodedExactly })
    }

    @Test
    fun `where nothing decodes exactly nothing is proven`() {
        assertFails(run(PlainDecoder { if (it and 0xff < 255) it + 1 else it }), "decodes none of the photos as the host did")
    }

    @Test
    fun `another answer fails, and NaN is another answer`() {
        val other = { share: Float -> if (share < 0.5f) share + 0.1f else share - 0.1f }
        val fields = assertFails(run(engine = ByteEngine(other)), "is answered differently")
        assertEquals(photos.keys.map { other(golden(it).probabilities.getValue("A")) }, rows(fields).map { it[0] })
        assertEquals(Outcome.PASS, run(engine = ByteEngine { it + 0.009f }).outcome, "within the tolerance")
        val broken = assertFails(run(engine = ByteEngine { Float.NaN }), "is answered differently")
        assertEquals(List(2) { Float.POSITIVE_INFINITY }, rows(broken).map { it[0] })
    }

    @Test
    fun `a recording without answers is none`() {
        val report = run(store = emptyMap())
        assertEquals(Outcome.FAIL, report.outcome)
        assertNull(report.recording)
        assertNull(report.latencyMsP50)
    }

    @Test
    fun `what is prepared differently is answered all the same`() {
        val report = run(change = { changed(it, tensor = "0".repeat(64)) })
        assertEquals(listOf(0f, 0f), report.results.map { it.largestDifference })
        assertEquals(listOf(false, false), report.results.map { it.passed })
        assertTrue(report.results.all { it.inferenceMs != null })
    }

    @Test
    fun `labels in another order than proven fail by name`() {
        val swapped = ModelDescription("m", "", "1", "", image, input, output, Labels(listOf("B", "A")), null)
        assertFails(run(model = swapped), "is answered differently")
        val renamed = ModelDescription("m", "", "1", "", image, input, output, Labels(listOf("A", "Z")), null)
        assertFails(run(model = renamed), "Z is")
    }

    @Test
    fun `a golden that is missing, changed or of another size fails`() {
        assertFails(run(store = photos - "two.jpg"), "two.jpg is missing", listOf("one.jpg"), listOf("two.jpg"))
        val swapped = photos + ("one.jpg" to photos.getValue("two.jpg"))
        assertFails(run(store = swapped), "one.jpg was changed", listOf("two.jpg"), listOf("one.jpg"))
        assertFails(run(change = { changed(it, width = it.widthPx + 1) }), "comes out as 11 x 9 pixels, not 12 x 9")
    }

    @Test
    fun `goldens of another model fail, and are not answered`() {
        val report = run(modelSha256 = "n".repeat(64))
        assertEquals(Outcome.FAIL, report.outcome)
        assertTrue("belong to another model" in report.sentence, report.sentence)
        assertNull(report.recording)
    }

    @Test
    fun `without goldens there is nothing to check, which is no pass`() {
        val report = run(none = true)
        assertEquals(Outcome.NOTHING_TO_CHECK, report.outcome)
        assertNull(report.recording)
    }
}

package pipeline.demo

import android.app.Activity
import android.content.Intent
import android.net.Uri
import java.io.ByteArrayOutputStream
import java.io.OutputStream
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.GraphicsMode
import pipeline.core.Outcome
import pipeline.core.PhotoDecoder
import pipeline.core.PhotoProblem
import pipeline.core.PhotoRefusal
import pipeline.core.PixelSource

/** The self-test's screen: the goldens' verdict on this phone, and the recording's ways out. */
@RunWith(DemoRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class SelfTestTest {
    private val phone = Phone()

    @Test
    fun theInstalledModelPasses() {
        val activity = phone.startSelfTest().get()
        assertEquals(phone.words(activity), activity.getString(R.string.passed), phone.headline(activity))
        assertEquals(phone.goldens.goldens.size, phone.children(activity, R.id.goldens).size)
        assertTrue(phone.text(activity, R.id.latency).contains("ms"))
        val report = report()
        assertEquals(Outcome.PASS, report.outcome)
        // Android's own decoder gives the host's pixels, so the input is compared byte for byte.
        assertEquals(emptyList<String>(), report.results.filterNot { it.decodedExactly }.map { it.file })
    }

    @Test
    fun swappedChannelsFailInWords() {
        phone.installWith(Swapping(BitmapDecoder())) { it }
        val activity = phone.startSelfTest().get()
        assertEquals(activity.getString(R.string.failed), phone.headline(activity))
        assertTrue(phone.words(activity), "goldens differ" in phone.words(activity))
        val failed = phone.children(activity, R.id.goldens).map { it.contentDescription.toString() }
            .filter { ", ${activity.getString(R.string.golden_failed)}." in it }
        assertTrue("$failed", failed.any { "of 255" in it })
    }

    @Test
    fun theRecordingIsShared() {
        val text = shared(phone.startSelfTest().get())
        assertEquals(report().recording, text)
        val fields = Json.parseToJsonElement(text).jsonObject
        assertEquals("recording", fields.getValue("kind").jsonPrimitive.content)
        assertEquals(phone.goldens.modelSha256, fields.getValue("model_sha256").jsonPrimitive.content)
        assertEquals(0, fields.getValue("self_test_failed").jsonArray.size)
        System.getProperty("screens")?.let { java.io.File(it, "recording.json").writeText(text) }
    }

    @Test
    fun theRecordingOfAFailedTestIsSharedToo() {
        phone.installWith(Swapping(BitmapDecoder())) { it }
        val text = shared(phone.startSelfTest().get())
        assertEquals(Outcome.FAIL, report().outcome)
        assertEquals(report().recording, text)
        val fields = Json.parseToJsonElement(text).jsonObject
        val goldens = phone.goldens.goldens
        assertEquals(goldens.map { it.sha256 }, fields.getValue("image_ids").jsonArray.map { it.jsonPrimitive.content })
        val failed = goldens.zip(report().results).filterNot { (_, result) -> result.passed }.map { (golden, _) -> golden.sha256 }
        assertTrue("some goldens are not grey", failed.isNotEmpty())
        assertEquals(failed, fields.getValue("self_test_failed").jsonArray.map { it.jsonPrimitive.content })
        System.getProperty("screens")?.let { java.io.File(it, "recording-failed.json").writeText(text) }
    }

    @Test
    fun whereNothingIsAnsweredNothingIsHandedOver() {
        phone.installWith(Refusing) { it }
        val activity = phone.startSelfTest().get()
        assertEquals(activity.getString(R.string.failed), phone.headline(activity))
        assertFalse(activity.findViewById<android.view.View>(R.id.hand_over).isShown)
        assertFalse(activity.findViewById<android.view.View>(R.id.latency).isShown)
    }

    @Test
    fun theRecordingIsSavedWhereAPersonPoints() {
        val activity = phone.startSelfTest().get()
        phone.press(activity, R.id.save)
        val asked = shadowOf(activity).nextStartedActivityForResult.intent
        assertEquals(Intent.ACTION_CREATE_DOCUMENT, asked.action)
        val written = ByteArrayOutputStream()
        val target = Uri.parse("content://documents/recording.json")
        shadowOf(activity.contentResolver).registerOutputStream(target, written)
        shadowOf(activity).receiveResult(asked, Activity.RESULT_OK, Intent().setData(target))
        phone.waitFor("the note") { phone.text(activity, R.id.note).isNotEmpty() }
        assertEquals(activity.getString(R.string.saved), phone.text(activity, R.id.note))
        assertEquals(report().recording, written.toString("UTF-8"))
    }

    @Test
    fun aPlaceThatCannotBeWrittenIsSaid() {
        val activity = phone.startSelfTest().get()
        phone.press(activity, R.id.save)
        val asked = shadowOf(activity).nextStartedActivityForResult.intent
        val target = Uri.parse("content://documents/full.json")
        val full = object : OutputStream() {
            override fun write(b: Int) = throw java.io.IOException("no space left")
        }
        shadowOf(activity.contentResolver).registerOutputStream(target, full)
        shadowOf(activity).receiveResult(asked, Activity.RESULT_OK, Intent().setData(target))
        phone.waitFor("the note") { phone.text(activity, R.id.note).isNotEmpty() }
        assertEquals(activity.getString(R.string.not_saved), phone.text(activity, R.id.note))
    }

    /** Presses the button; returns what the app that is shared with reads. */
    private fun shared(activity: Activity): String {
        phone.press(activity, R.id.share)
        phone.waitFor("the chooser") { shadowOf(activity).peekNextStartedActivity() != null }
        val chooser = shadowOf(activity).nextStartedActivity
        assertEquals(Intent.ACTION_CHOOSER, chooser.action)
        @Suppress("DEPRECATION")
        val sent: Intent = chooser.getParcelableExtra(Intent.EXTRA_INTENT)!!
        assertEquals(Intent.ACTION_SEND, sent.action)
        @Suppress("DEPRECATION")
        val uri: Uri = sent.getParcelableExtra(Intent.EXTRA_STREAM)!!
        return activity.contentResolver.openInputStream(uri)!!.use { it.readBytes().toString(Charsets.UTF_8) }
    }

    private fun report() = (phone.app.selfTest.state.value as SelfTestState.Done).report
}

/** Takes blue for red, as a decoder with another byte order would. */
internal class Swapping(private val decoder: PhotoDecoder) : PhotoDecoder {
    override fun open(photo: ByteArray, maxImagePx: Long): PixelSource {
        val source = decoder.open(photo, maxImagePx)
        return object : PixelSource by source {
            override fun readRow(y: Int, into: IntArray) {
                source.readRow(y, into)
                for (x in into.indices) {
                    val pixel = into[x]
                    into[x] = pixel.and(0xff).shl(16) or pixel.and(0xff00) or (pixel ushr 16 and 0xff)
                }
            }
        }
    }
}

/** Reads no photo at all. */
private object Refusing : PhotoDecoder {
    override fun open(photo: ByteArray, maxImagePx: Long): PixelSource =
        throw PhotoRefusal(PhotoProblem.DAMAGED, "no decoder")
}

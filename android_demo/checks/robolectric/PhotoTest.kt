package pipeline.demo

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.provider.MediaStore
import java.io.ByteArrayInputStream
import java.io.File
import java.io.FileNotFoundException
import java.io.InputStream
import java.nio.ByteBuffer
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.GraphicsMode
import pipeline.core.Engine
import pipeline.core.Golden

/** A photo's ways into the app, and what the screen says of it. */
@RunWith(DemoRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class PhotoTest {
    private val phone = Phone()

    @Test
    fun chosenGoldensAreAnsweredAsTheHostAnsweredThem() {
        val activity = phone.ready().get()
        var clear = 0
        for (golden in phone.goldens.goldens) {
            phone.answered(activity, phone.golden(golden.file))
            assertShows(activity, golden)
            if (margin(golden) > phone.goldens.tolerance) clear++
        }
        assertTrue("no golden has a clear answer", clear > 0)
    }

    @Test
    fun theScreenNamesTheModelTheRuntimeAndTheTimes() {
        val activity = phone.ready().get()
        phone.answered(activity, firstPhoto())
        val details = phone.text(activity, R.id.details)
        assertTrue(details, phone.goldens.modelSha256.take(12) in details)
        assertTrue(details, Regex("TensorFlow Lite \\d+\\.\\d+\\.\\d+, 2 threads").containsMatchIn(details))
        assertTrue(details, Regex("Model \\d+\\.\\d ms").containsMatchIn(details))
        assertTrue(details, activity.getString(R.string.proven) in details)
    }

    @Test
    fun aTakenPhotoIsReadFromWhereTheCameraWroteIt() {
        val activity = phone.ready().get()
        val (intent, name) = takePhoto(activity)
        assertEquals(MediaStore.ACTION_IMAGE_CAPTURE, intent.action)
        assertEquals(
            Intent.FLAG_GRANT_WRITE_URI_PERMISSION,
            intent.flags and Intent.FLAG_GRANT_WRITE_URI_PERMISSION,
        )
        val output = checkNotNull(intent.clipData).getItemAt(0).uri
        checkNotNull(activity.contentResolver.openFileDescriptor(output, "w")).use { target ->
            android.os.ParcelFileDescriptor.AutoCloseOutputStream(target).use { it.write(firstPhoto()) }
        }
        shadowOf(activity).receiveResult(intent, Activity.RESULT_OK, null)
        phone.settle(activity)
        assertShows(activity, phone.goldens.goldens.first())
        assertFalse("the camera's file is left behind", SharedFiles.file(activity, name).exists())
    }

    @Test
    fun aCancelledCameraChangesNothing() {
        val activity = phone.ready().get()
        phone.answered(activity, firstPhoto())
        val before = phone.headline(activity)
        val (intent, _) = takePhoto(activity)
        shadowOf(activity).receiveResult(intent, Activity.RESULT_CANCELED, null)
        phone.waitFor("nothing") { true }
        assertEquals(before, phone.headline(activity))
    }

    @Test
    fun aCameraThatWroteNothingIsSaid() {
        val activity = phone.ready().get()
        val (intent, _) = takePhoto(activity)
        shadowOf(activity).receiveResult(intent, Activity.RESULT_OK, null)
        phone.settle(activity)
        assertRefused(activity, R.string.photo_empty)
    }

    @Test
    fun aMissingCameraAppIsSaid() {
        val activity = phone.ready().get()
        shadowOf(phone.app).checkActivities(true)
        phone.press(activity, R.id.take)
        assertRefused(activity, R.string.no_camera)
        phone.press(activity, R.id.choose)
        assertRefused(activity, R.string.no_picker)
    }

    @Test
    fun aSharedPhotoIsAnswered() {
        val uri = phone.hold("shared.jpg") { ByteArrayInputStream(firstPhoto()) }
        val activity = phone.start(share(uri)).get()
        phone.settle(activity)
        assertShows(activity, phone.goldens.goldens.first())
    }

    @Test
    fun aSharedAddressOfAFileIsNotOpened() {
        val secret = File(phone.app.filesDir, "secret.jpg").apply { writeBytes(firstPhoto()) }
        val activity = phone.start(share(Uri.fromFile(secret))).get()
        phone.waitFor("model") { phone.app.model.state.value is ModelState.Ready }
        assertRefused(activity, R.string.photo_unreadable)
    }

    @Test
    fun aPhotoThatCannotBeOpenedIsSaid() {
        val faults = listOf<() -> InputStream>(
            { throw FileNotFoundException("gone") },
            { throw SecurityException("not yours") },
            { throw IllegalStateException("the other app's own fault") },
        )
        for (fault in faults) {
            val activity = phone.start(share(phone.hold("broken.jpg", fault))).get()
            phone.settle(activity)
            assertRefused(activity, R.string.photo_unreadable)
        }
    }

    @Test
    fun aFileOfTooManyBytesIsRefusedWithoutBeingHeld() {
        val endless = object : InputStream() {
            override fun read(): Int = 0
            override fun read(into: ByteArray): Int = into.size
        }
        val activity = phone.start(share(phone.hold("endless.jpg") { endless })).get()
        phone.settle(activity)
        assertRefused(activity, R.string.photo_too_many_bytes)
        assertEquals(emptyList<String>(), File(phone.app.cacheDir, "photos").list().orEmpty().toList())
    }

    @Test
    fun aFailureReplacesTheAnswerBeforeIt() {
        val activity = phone.ready().get()
        phone.answered(activity, firstPhoto())
        assertTrue(phone.bars(activity).isNotEmpty())
        phone.answered(activity, ByteArray(0))
        assertRefused(activity, R.string.photo_empty)
    }

    @Test
    fun theAnswerToAnEarlierPhotoIsNeverShown() {
        val entered = CountDownLatch(1)
        val leave = CountDownLatch(1)
        phone.installWith { engine -> SlowEngine(engine, entered, leave) }
        val activity = phone.ready().get()
        phone.choose(activity, phone.golden("white.jpg"), "first.jpg")
        phone.waitFor("the first photo in the engine") { entered.count == 0L }
        val seen = mutableListOf<String>()
        phone.choose(activity, phone.golden("black.jpg"), "second.jpg")
        leave.countDown()
        phone.waitFor("answer") {
            seen += phone.headline(activity)
            phone.bars(activity).isNotEmpty()
        }
        assertShows(activity, phone.goldens.goldens.single { it.file == "black.jpg" })
        assertTrue("$seen", seen.dropLast(1).all { it == activity.getString(R.string.working) })
    }

    @Test
    fun onlyThePickersOwnAnswerIsRead() {
        val activity = phone.ready().get()
        phone.press(activity, R.id.choose)
        val intent = shadowOf(activity).nextStartedActivityForResult.intent
        assertEquals(MediaStore.ACTION_PICK_IMAGES, intent.action)
        assertEquals("image/*", intent.type)
        shadowOf(activity).receiveResult(intent, Activity.RESULT_CANCELED, null)
        assertEquals(activity.getString(R.string.empty), phone.headline(activity))
        assertNull(activity.findViewById<PhotoFrame>(R.id.photo).takeIf { it.contentDescription == "The photo" })
    }

    private fun firstPhoto() = phone.golden(phone.goldens.goldens.first().file)

    private fun takePhoto(activity: MainActivity): Pair<Intent, String> {
        phone.press(activity, R.id.take)
        val intent = shadowOf(activity).nextStartedActivityForResult.intent
        return intent to checkNotNull(checkNotNull(intent.clipData).getItemAt(0).uri.lastPathSegment)
    }

    private fun share(uri: Uri) = Intent(Intent.ACTION_SEND).setType("image/jpeg").putExtra(Intent.EXTRA_STREAM, uri)

    private fun assertRefused(activity: MainActivity, sentence: Int) {
        assertEquals(activity.getString(sentence), phone.words(activity))
        assertEquals(activity.getString(R.string.photo_refused), phone.headline(activity))
        assertEquals(emptyList<Any>(), phone.bars(activity))
    }

    private fun assertShows(activity: MainActivity, golden: Golden) {
        val model = (phone.app.model.state.value as ModelState.Ready).model.bundle.description.labels
        val expected = golden.probabilities.mapKeys { model.fullName(it.key) }
        val shown = phone.bars(activity)
        assertEquals(expected.keys, shown.map { it.first }.toSet())
        // One decimal of a percentage is shown.
        val within = phone.goldens.tolerance + 0.0005f
        for ((name, probability) in shown) {
            assertEquals("${golden.file}: $name", expected.getValue(name), probability, within)
        }
        assertEquals(shown.sortedByDescending { it.second }.map { it.second }, shown.map { it.second })
        assertEquals(shown.first().first, phone.headline(activity))
        if (margin(golden) > phone.goldens.tolerance) {
            assertEquals(golden.file, expected.maxByOrNull { it.value }!!.key, phone.headline(activity))
        }
    }

    private fun margin(golden: Golden): Float =
        golden.probabilities.values.sortedDescending().let { (first, second) -> first - second }

    private class SlowEngine(
        private val engine: Engine,
        private val entered: CountDownLatch,
        private val leave: CountDownLatch,
    ) : Engine by engine {
        override fun run(input: ByteBuffer): ByteBuffer {
            entered.countDown()
            check(leave.await(60, TimeUnit.SECONDS)) { "nobody let the engine go on" }
            return engine.run(input)
        }
    }
}

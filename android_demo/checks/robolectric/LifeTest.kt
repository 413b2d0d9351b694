package pipeline.demo

import android.os.Bundle
import java.io.File
import java.nio.ByteBuffer
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.GraphicsMode
import pipeline.core.Engine
import pipeline.core.PhotoDecoder
import pipeline.core.PixelSource

/** Rotation, the end of the process, and the threads on which the work is done. */
@RunWith(DemoRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class LifeTest {
    private val phone = Phone()
    private val photo get() = phone.golden(phone.goldens.goldens.first().file)

    @Test
    fun rotationKeepsPhotoAndAnswerAndAsksNothingAgain() {
        var asked = 0
        phone.installWith { engine -> Watched(engine) { asked++ } }
        val controller = phone.ready()
        phone.answered(controller.get(), photo)
        val shown = phone.bars(controller.get())
        RuntimeEnvironment.setQualifiers("+land")
        controller.configurationChange()
        val turned = controller.get()
        assertEquals(shown, phone.bars(turned))
        assertEquals(turned.getString(R.string.photo), turned.findViewById<PhotoFrame>(R.id.photo).contentDescription)
        assertEquals("the model was asked again", 1, asked)
    }

    @Test
    fun theEndOfTheProcessLosesNothing() {
        val first = phone.ready()
        phone.answered(first.get(), photo)
        val shown = phone.bars(first.get())
        val headline = phone.headline(first.get())
        val saved = Bundle()
        first.pause().stop().saveInstanceState(saved)
        val second = Robolectric.buildActivity(MainActivity::class.java).setup(saved).get()
        phone.settle(second)
        phone.waitFor("the picture") { second.findViewById<PhotoFrame>(R.id.photo).contentDescription == second.getString(R.string.photo) }
        assertEquals(headline, phone.headline(second))
        assertEquals(shown, phone.bars(second))
    }

    @Test
    fun aClearedCacheAfterTheEndOfTheProcessShowsNoPhoto() {
        val first = phone.ready()
        phone.answered(first.get(), photo)
        val saved = Bundle()
        first.pause().stop().saveInstanceState(saved)
        File(phone.app.cacheDir, "photos").deleteRecursively()
        val second = Robolectric.buildActivity(MainActivity::class.java).setup(saved).get()
        phone.waitFor("no photo") { phone.headline(second) == second.getString(R.string.empty) }
        assertEquals(emptyList<Any>(), phone.bars(second))
    }

    @Test
    fun nothingOfThePhotoOrTheModelIsDoneOnTheMainThread() {
        val threads = mutableSetOf<String>()
        val note = { threads += Thread.currentThread().name }
        val decoder = BitmapDecoder()
        val watched = object : PhotoDecoder {
            override fun open(photo: ByteArray, maxImagePx: Long): PixelSource {
                note()
                return decoder.open(photo, maxImagePx)
            }
        }
        phone.installWith(watched) { engine -> Watched(engine) { note() } }
        val activity = phone.ready().get()
        phone.answered(activity, photo)
        phone.startSelfTest()
        assertTrue(phone.bars(activity).isNotEmpty())
        assertEquals(setOf(Worker.THREAD), threads)
    }

    private class Watched(private val engine: Engine, private val before: () -> Unit) : Engine by engine {
        override fun run(input: ByteBuffer): ByteBuffer {
            before()
            return engine.run(input)
        }
    }
}

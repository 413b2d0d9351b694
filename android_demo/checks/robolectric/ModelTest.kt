package pipeline.demo

import android.view.View
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.GraphicsMode

/** What the app says of model folders that are not what was proven, and of bare models. */
@RunWith(DemoRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ModelTest {
    private val phone = Phone()

    @Test
    fun noModelIsSaidWithTheCommandThatInstallsOne() {
        phone.install { it.deleteRecursively() }
        assertRefused("No model is installed: run \"pipeline android install BUNDLE\".")
    }

    @Test
    fun aChangedModelIsRefused() {
        phone.install { folder ->
            val model = File(folder, "model.tflite")
            model.writeBytes(model.readBytes().also { it[it.size / 2] = (it[it.size / 2] + 1).toByte() })
        }
        assertRefused("The bundle was changed after it was proven: model.tflite differs from manifest.json.")
    }

    @Test
    fun aFailedVerdictIsRefused() {
        phone.install { folder ->
            val verdict = File(folder, "verdict.json")
            val failed = Regex("(\"name\": \"top1_agreement\".*?)\"outcome\": \"pass\"(.*?)\"value\": [^,]*", RegexOption.DOT_MATCHES_ALL)
            val text = verdict.readText().replaceFirst("\"outcome\": \"pass\"", "\"outcome\": \"fail\"")
            verdict.writeText(text.replace(failed, "$1\"outcome\": \"fail\"$2\"value\": 0.0"))
            phone.seal(folder)
        }
        assertRefused("The model is not proven: its verdict is fail, not pass.")
    }

    @Test
    fun aModelForANewerRuntimeIsRefused() {
        phone.install { folder ->
            val manifest = File(folder, "manifest.json")
            manifest.writeText(manifest.readText().replace(Regex("\"min_runtime\": \"[^\"]*\""), "\"min_runtime\": \"2.99.0\""))
            phone.seal(folder)
        }
        val promised = phone.app.getString(R.string.promised_runtime)
        assertRefused("The model needs runtime 2.99.0 or newer; the app has $promised.")
    }

    @Test
    fun aFileThatIsNoModelIsRefused() {
        phone.install { folder ->
            folder.deleteRecursively()
            folder.mkdirs()
            File(folder, "mine.tflite").writeText("not a model")
        }
        val activity = phone.ready().get()
        assertTrue(phone.words(activity), phone.words(activity).startsWith("The model file cannot be read: "))
    }

    @Test
    fun aBareModelAnswersAndIsCalledUnproven() {
        phone.install(::leaveOnlyTheModel)
        val activity = phone.ready().get()
        val golden = phone.goldens.goldens.first()
        phone.answered(activity, phone.golden(golden.file))
        assertEquals(golden.probabilities.size, phone.bars(activity).size)
        assertTrue(activity.getString(R.string.unproven) in phone.text(activity, R.id.details))
        val test = phone.startSelfTest().get()
        assertEquals(test.getString(R.string.nothing_to_check), phone.headline(test))
        assertEquals(View.GONE, test.findViewById<View>(R.id.hand_over).visibility)
    }

    private fun leaveOnlyTheModel(folder: File) {
        folder.listFiles()!!.filter { it.name != "model.tflite" }.forEach { it.deleteRecursively() }
        File(folder, "model.tflite").renameTo(File(folder, "mine.tflite"))
    }

    private fun assertRefused(sentence: String) {
        val activity = phone.ready().get()
        assertEquals(activity.getString(R.string.model_refused), phone.headline(activity))
        assertEquals(sentence, phone.words(activity))
        assertEquals(View.GONE, activity.findViewById<View>(R.id.buttons).visibility)
        val test = phone.startSelfTest().get()
        assertEquals(sentence, phone.words(test))
    }
}

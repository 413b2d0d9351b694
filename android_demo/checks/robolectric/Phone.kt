package pipeline.demo

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import java.io.ByteArrayInputStream
import java.io.File
import java.io.InputStream
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
import org.junit.Assert.fail
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import pipeline.core.CanonicalJson
import pipeline.core.Engine
import pipeline.core.FolderFiles
import pipeline.core.Goldens
import pipeline.core.Hash
import pipeline.core.PhotoDecoder

/** Drives the app in a test: what a person does, what other apps answer, what the screen says. */
internal class Phone {
    val app: DemoApplication get() = RuntimeEnvironment.getApplication() as DemoApplication

    /** The folder of the installed model, on the machine. */
    val modelDir = File(checkNotNull(System.getProperty("model.dir")) { "run with -Dmodel.dir=FOLDER" })
    val goldens: Goldens = Goldens.parse(File(modelDir, Goldens.FILE).readBytes())

    fun golden(file: String): ByteArray = File(modelDir, "${Goldens.FOLDER}/$file").readBytes()

    /** Copies the installed model to a folder of its own, lets [change] break it, and runs the app on it. */
    fun install(change: (File) -> Unit = {}): File {
        val folder = File.createTempFile("model", "").apply { delete() }
        modelDir.copyRecursively(folder)
        change(folder)
        app.parts = { Parts(FolderFiles(folder)) }
        return folder
    }

    /** Lets manifest and verdict of [folder] pin each other again, as who forges both would. */
    fun seal(folder: File) {
        fun read(name: String) = Json.parseToJsonElement(File(folder, name).readText()).jsonObject
        val manifest = read("manifest.json")
        val files = manifest.getValue("files").jsonObject - "verdict.json"
        val verdict = read("verdict.json")
        val inputs = verdict.getValue("inputs").jsonObject + mapOf(
            "manifest" to JsonPrimitive(CanonicalJson.digest(JsonObject(manifest + ("files" to JsonObject(files))))),
            "decision" to JsonPrimitive(CanonicalJson.digest(manifest.getValue("decision"))),
        )
        val bytes = JsonObject(verdict + ("inputs" to JsonObject(inputs))).toString().toByteArray()
        File(folder, "verdict.json").writeBytes(bytes)
        val entry = JsonObject(mapOf("sha256" to JsonPrimitive(Hash.of(bytes)), "size_bytes" to JsonPrimitive(bytes.size)))
        val all = JsonObject(files + ("verdict.json" to entry))
        File(folder, "manifest.json").writeText(JsonObject(manifest + ("files" to all)).toString())
    }

    fun installWith(decoder: PhotoDecoder = BitmapDecoder(), wrap: (Engine) -> Engine) {
        app.parts = {
            Parts(AssetFiles(app.assets), decoder) { wrap(InterpreterEngine(it.model, 2)) }
        }
    }

    fun start(intent: Intent? = null): ActivityController<MainActivity> {
        val controller = Robolectric.buildActivity(MainActivity::class.java, intent)
        return controller.setup()
    }

    /** Opens the app and waits for the model. */
    fun ready(): ActivityController<MainActivity> = start().also { waitFor("model") { app.model.state.value !is ModelState.Loading } }

    fun startSelfTest(): ActivityController<SelfTestActivity> {
        val controller = Robolectric.buildActivity(SelfTestActivity::class.java).setup()
        waitFor("self-test") {
            app.selfTest.state.value is SelfTestState.Done || app.selfTest.state.value is SelfTestState.Refused
        }
        return controller
    }

    /** Lets another app hold a photo; returns its address. */
    fun hold(name: String, open: () -> InputStream): Uri {
        val uri = Uri.parse("content://gallery/$name")
        shadowOf(app.contentResolver).registerInputStreamSupplier(uri, open)
        return uri
    }

    /** Presses the button, and answers the picker with a photo. */
    fun choose(activity: MainActivity, photo: ByteArray, name: String = "photo.jpg") {
        press(activity, R.id.choose)
        val uri = hold(name) { ByteArrayInputStream(photo) }
        shadowOf(activity).receiveResult(
            shadowOf(activity).nextStartedActivityForResult.intent, Activity.RESULT_OK, Intent().setData(uri),
        )
    }

    /** Chooses a photo and waits until the screen says something of it. */
    fun answered(activity: MainActivity, photo: ByteArray) {
        choose(activity, photo)
        settle(activity)
    }

    fun settle(activity: Activity) = waitFor("answer") {
        text(activity, R.id.headline) !in listOf(activity.getString(R.string.working), activity.getString(R.string.loading))
    }

    fun press(activity: Activity, button: Int) {
        val view = activity.findViewById<View>(button)
        if (!view.isShown || !view.performClick()) fail("the button cannot be pressed")
    }

    fun text(activity: Activity, id: Int): String = activity.findViewById<TextView>(id).text.toString()

    fun headline(activity: Activity): String = text(activity, R.id.headline)

    fun words(activity: Activity): String = text(activity, R.id.words)

    /** Reads the bars as the screen shows them: full name to what is written beside it. */
    fun bars(activity: Activity): List<Pair<String, Float>> = children(activity, R.id.bars).map { row ->
        val percent = row.findViewById<TextView>(R.id.percent).text.toString()
        row.findViewById<TextView>(R.id.name).text.toString() to percent.removeSuffix("%").toFloat() / 100f
    }

    fun children(activity: Activity, id: Int): List<View> =
        activity.findViewById<ViewGroup>(id).let { group -> (0 until group.childCount).map(group::getChildAt) }

    fun waitFor(what: String, condition: () -> Boolean) {
        val end = System.nanoTime() + LONGEST_WAIT_NS
        while (true) {
            shadowOf(Looper.getMainLooper()).idle()
            if (condition()) return
            if (System.nanoTime() > end) return fail("waited in vain for: $what")
            Thread.sleep(5)
        }
    }

    private companion object {
        const val LONGEST_WAIT_NS = 30_000_000_000L
    }
}

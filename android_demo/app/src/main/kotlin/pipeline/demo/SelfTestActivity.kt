package pipeline.demo

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.ClipData
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.view.View
import java.io.IOException
import pipeline.core.SelfTestReport

/** Proves the model on this phone: runs the goldens, shows what came of each, hands the recording on. */
class SelfTestActivity : Activity() {
    private lateinit var screen: SelfTestScreen
    private val app get() = application as DemoApplication
    private val onState = { state: SelfTestState -> screen.show(state) }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.self_test)
        findViewById<View>(R.id.root).keepClearOfSystemBars()
        screen = SelfTestScreen(this)
        findViewById<View>(R.id.back).setOnClickListener { finish() }
        findViewById<View>(R.id.again).setOnClickListener { app.selfTest.start() }
        findViewById<View>(R.id.share).setOnClickListener { share() }
        findViewById<View>(R.id.save).setOnClickListener { save() }
        app.model.start()
        if (app.selfTest.state.value == SelfTestState.Idle) app.selfTest.start()
        app.selfTest.state.attach(onState)
    }

    override fun onDestroy() {
        app.selfTest.state.detach(onState)
        super.onDestroy()
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        super.onActivityResult(requestCode, resultCode, data)
        val target = data?.data
        if (requestCode == SAVE && resultCode == RESULT_OK && target != null) write(target)
    }

    private fun share() {
        val recording = report()?.recording ?: return
        val file = SharedFiles.file(this, SharedFiles.RECORDING)
        app.worker.run({
            writing {
                file.parentFile?.mkdirs()
                file.writeText(recording)
            }
        }) { written -> if (written) send() else screen.note(R.string.not_saved) }
    }

    private fun send() {
        val uri = SharedFiles.uri(SharedFiles.RECORDING)
        val intent = Intent(Intent.ACTION_SEND).setType(JSON).putExtra(Intent.EXTRA_STREAM, uri)
            .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
            .apply { clipData = ClipData.newRawUri(null, uri) }
        startActivity(Intent.createChooser(intent, getString(R.string.share)))
    }

    private fun save() {
        val intent = Intent(Intent.ACTION_CREATE_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType(JSON)
            .putExtra(Intent.EXTRA_TITLE, SharedFiles.RECORDING)
        try {
            startActivityForResult(intent, SAVE)
        } catch (_: ActivityNotFoundException) {
            screen.note(R.string.no_files_app)
        }
    }

    private fun write(target: Uri) {
        // After the end of the process the report is gone, and the test runs anew.
        val recording = report()?.recording ?: return screen.note(R.string.save_again)
        val resolver = applicationContext.contentResolver
        app.worker.run({
            writing {
                val stream = resolver.openOutputStream(target, "wt") ?: throw IOException("no stream for $target")
                stream.use { it.write(recording.toByteArray()) }
            }
        }) { written -> screen.note(if (written) R.string.saved else R.string.not_saved) }
    }

    private fun report(): SelfTestReport? = (app.selfTest.state.value as? SelfTestState.Done)?.report

    // The target may lie with another app, whose faults arrive as its own runtime exceptions.
    private fun writing(block: () -> Unit): Boolean = try {
        block()
        true
    } catch (_: IOException) {
        false
    } catch (_: RuntimeException) {
        false
    }

    private companion object {
        const val SAVE = 1
        const val JSON = "application/json"
    }
}

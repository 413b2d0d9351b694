package pipeline.demo

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.view.View
import java.io.ByteArrayInputStream
import java.util.UUID

/** Shows one photo and what the model says of it; photos are chosen, taken, or shared by other apps. */
class MainActivity : Activity() {
    private lateinit var session: PhotoSession
    private lateinit var screen: MainScreen
    private val app get() = application as DemoApplication
    private val onModel = { _: ModelState -> show() }
    private val onPhoto = { _: PhotoState -> show() }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.main)
        findViewById<View>(R.id.root).keepClearOfSystemBars()
        screen = MainScreen(this)
        findViewById<View>(R.id.choose).setOnClickListener { choose() }
        findViewById<View>(R.id.take).setOnClickListener { take() }
        findViewById<View>(R.id.self_test).setOnClickListener {
            startActivity(Intent(this, SelfTestActivity::class.java))
        }
        app.model.start()
        val kept = lastNonConfigurationInstance as PhotoSession?
        session = kept ?: PhotoSession(app.worker, app.model, app.photos, savedInstanceState)
        if (kept == null && savedInstanceState == null && PhotoIntents.isShared(intent)) receive(intent)
        app.model.state.attach(onModel)
        session.state.attach(onPhoto)
    }

    override fun onDestroy() {
        app.model.state.detach(onModel)
        session.state.detach(onPhoto)
        if (isFinishing) session.discard()
        super.onDestroy()
    }

    override fun onRetainNonConfigurationInstance(): Any = session

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        session.save(outState)
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        super.onActivityResult(requestCode, resultCode, data)
        when (requestCode) {
            CHOOSE -> if (resultCode == RESULT_OK) open(data?.data)
            TAKE -> taken(resultCode)
        }
    }

    private fun show() = screen.show(app.model.state.value, session.state.value)

    private fun choose() {
        try {
            startActivityForResult(PhotoIntents.choose(), CHOOSE)
        } catch (_: ActivityNotFoundException) {
            session.fail(PhotoFailure.NO_PICKER)
        }
    }

    private fun take() {
        val name = SharedFiles.photoName(UUID.randomUUID().toString())
        try {
            startActivityForResult(PhotoIntents.take(SharedFiles.uri(name)), TAKE)
            session.capture = name
        } catch (_: ActivityNotFoundException) {
            session.fail(PhotoFailure.NO_CAMERA)
        }
    }

    private fun taken(resultCode: Int) {
        val name = session.capture ?: return
        session.capture = null
        val file = SharedFiles.file(this, name)
        if (resultCode == RESULT_OK) {
            // A camera app that says it is done and wrote nothing took an empty photo.
            session.show({ if (file.exists()) file.inputStream() else ByteArrayInputStream(ByteArray(0)) }, { file.delete() })
        } else {
            app.worker.run({ file.delete() }) {}
        }
    }

    private fun receive(intent: Intent) = open(PhotoIntents.shared(intent))

    private fun open(photo: Uri?) {
        val resolver = applicationContext.contentResolver
        if (photo == null) session.fail(PhotoFailure.UNREADABLE) else session.show({ resolver.openInputStream(photo) })
    }

    private companion object {
        const val CHOOSE = 1
        const val TAKE = 2
    }
}

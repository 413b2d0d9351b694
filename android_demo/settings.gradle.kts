pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositoriesMode.set(RepositoriesMode.FAIL_ON_PROJECT_REPOS)
    repositories {
        // LiteRT is published nowhere else; everything else comes from Maven Central.
        google { content { includeGroupByRegex("com\\.google\\.ai\\.edge.*|com\\.android.*|androidx.*") } }
        mavenCentral()
    }
}

rootProject.name = "pipeline-demo"
include(":core", ":app")

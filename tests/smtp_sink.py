from deploy.local.smtp_sink import *  # noqa: F403
